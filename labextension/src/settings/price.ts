import { Amount, ISettingsRequest } from '../api';
import { Settings } from '../state/schema';

/** The currency of price lists. */
export const LISTED = 'USD';

/** What a user says of prices, as typed. What is empty is not known. */
export interface ISaid {
  amount: string;
  /** What the amount is for: an hour of one CPU, or an hour of `cpus` of them. */
  cpus: number;
  currency: string;
  /** What a GPU costs for an hour. */
  gpu: string;
  /** What a dollar is in the currency. */
  rate: string;
  /** What is paid less than the lists say, in per cent. */
  percent: string;
}

/** What the settings say of prices now. */
export function saidOf({ price, adjust }: Settings): ISaid {
  return {
    amount: text(price.cpu_hour),
    cpus: 1,
    currency: price.currency,
    gpu: text(price.gpu_hour),
    rate: text(adjust.exchange?.currency === price.currency ? adjust.exchange.rate : null),
    percent: text(adjust.discount?.percent ?? null)
  };
}

/** The settings with what was said. */
export function withSaid(current: Settings, said: ISaid): ISettingsRequest {
  const before = saidOf(current);
  const { amount, cpus, rate, percent } = said;
  const currency = codeOf(said.currency);
  const typed = amount.trim();
  const gpu = said.gpu.trim();
  const isNewAmount = typed !== before.amount || cpus !== 1 || currency !== before.currency;
  const isNew = isNewAmount || gpu !== before.gpu;
  const each = asAmount(typed, cpus);
  const price = {
    ...current.price,
    currency,
    ...(isNewAmount && { cpu_hour: each }),
    gpu_hour: gpu === before.gpu ? current.price.gpu_hour : asAmount(gpu)
  };
  // A rate of another currency isn't in the form: it stays.
  const isOld = rate.trim() === before.rate && currency === before.currency;
  const exchange = rate.trim() === '' ? null : { rate: rate.trim(), currency };
  return {
    ...current,
    price: isNew && typed + gpu !== '' ? { ...price, ...signed() } : price,
    adjust: {
      exchange: isOld || currency === LISTED ? current.adjust.exchange : exchange,
      discount:
        percent.trim() === ''
          ? null
          : percent.trim() === before.percent
            ? current.adjust.discount
            : { percent: percent.trim() }
    }
  };
}

/** A currency as it is kept: a code of three letters is the same however it is written. */
export function codeOf(currency: string): string {
  const typed = currency.trim();
  return /^[a-z]{3}$/i.test(typed) ? typed.toUpperCase() : typed;
}

/** What was typed, divided among so many; what is no number goes as it is, so that the server says what is wrong. */
function asAmount(typed: string, among = 1): Amount {
  return typed === '' ? null : isNaN(Number(typed)) ? typed : Number(typed) / among;
}

/** The settings of somebody for whom all machines are free. */
export function free(current: Settings): ISettingsRequest {
  const rates = { cpu_hour: 0, gb_hour: 0, gpu_hour: 0 };
  return { ...current, price: { ...current.price, ...rates, ...signed() } };
}

/** Who says so, and when. */
export function signed(): { source: string; date: string } {
  return { source: 'your settings', date: new Date().toISOString().slice(0, 10) };
}

function text(value: number | null): string {
  return value === null ? '' : String(value);
}
