import { TranslationBundle } from '@jupyterlab/translation';

import { Cost, Estimate } from '../model/schema';

const formats = new Map<string, (amount: number) => string>();

function formatOf(currency: string): (amount: number) => string {
  let format = formats.get(currency);
  if (!format) {
    format = makeFormat(currency);
    formats.set(currency, format);
  }
  return format;
}

/** Currencies are free text: what isn't one of the world's is written after the number. */
function makeFormat(currency: string): (amount: number) => string {
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  if (/^[A-Z]{3}$/.test(currency)) {
    const style = { style: 'currency', currency, currencyDisplay: 'narrowSymbol' } as const;
    const { format } = new Intl.NumberFormat(undefined, { ...style, ...digits });
    return format;
  }
  const { format } = new Intl.NumberFormat(undefined, digits);
  return amount => `${format(amount)} ${currency}`;
}

/** Money with two decimals; "unknown" when nobody said what it costs. */
export function money(trans: TranslationBundle, amount: number | null, currency: string): string {
  return amount === null ? trans.__('unknown') : formatOf(currency)(amount);
}

/** Money for an hour. */
export function perHour(trans: TranslationBundle, amount: number | null, currency: string): string {
  return amount === null ? trans.__('unknown') : trans.__('%1/h', formatOf(currency)(amount));
}

/** What a sum of money rests on: whose rates, of when, and what was used. */
export function source(trans: TranslationBundle, cost: Cost): string {
  const { usage } = cost;
  const used = trans.__(
    '%1 CPU-hours and %2 GB-hours used',
    quantity(usage.cpu_hours),
    quantity(usage.gb_hours)
  );
  const gpus = usage.gpu_hours ? trans.__('%1 GPU-hours used', quantity(usage.gpu_hours)) : '';
  return [rates(trans, cost), used, gpus].filter(Boolean).join('\n');
}

/** Whose rates, and of when. */
export function rates(trans: TranslationBundle, cost: { source: string; date?: string }): string {
  const dated = cost.date
    ? trans.__('Price: %1, %2', cost.source, cost.date)
    : trans.__('Price: %1', cost.source);
  return cost.source === 'no price is set'
    ? trans.__(
        'No price was set when it was made. Rates that you name in the settings count for what is made after.'
      )
    : dated;
}

/** A number of hours with the decimals that it deserves. */
export function quantity(amount: number): string {
  const digits = amount >= 100 ? 0 : amount >= 1 ? 1 : 2;
  return amount.toLocaleString(undefined, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits
  });
}

/** What a profile costs an hour: at the start, and at most where that is more. */
export function estimate(trans: TranslationBundle, value: Estimate): string {
  const { at_start, at_most, currency } = value;
  if (at_start === null || at_most === null) {
    return trans.__('cost unknown');
  }
  const start = formatOf(currency)(at_start);
  const most = formatOf(currency)(at_most);
  return start === most ? trans.__('%1/h', start) : trans.__('%1–%2/h', start, most);
}
