import { TranslationBundle } from '@jupyterlab/translation';

import { Cost, Estimate, RunState } from '../state/schema';
import { decimals, exact, significant } from './number';
import { span } from './time';

/** Currency → its sign. */
const SIGNS: Readonly<Record<string, string>> = {
  USD: '$',
  EUR: '€',
  GBP: '£',
  JPY: '¥',
  CNY: '¥',
  INR: '₹',
  KRW: '₩',
  BRL: 'R$',
  ILS: '₪'
};

/** The least that two decimals can tell. */
export const CENT = 0.01;

/** Below this amount of money a cent is too coarse a unit. What is above it is written as 0.10. */
const FINE = 0.0995;

/** Currencies are free text: what isn't one of the world's is written after the number. */
function withCurrency(number: string, currency: string): string {
  if (Object.hasOwn(SIGNS, currency)) {
    return SIGNS[currency] + number;
  }
  return /^[A-Z]{3}$/.test(currency) ? `${currency} ${number}` : `${number} ${currency}`;
}

/**
 * Money with two decimals. Less than a cent is "< $0.01", since only nothing is nothing; "unknown" when nobody said what
 * it costs.
 */
export function money(trans: TranslationBundle, amount: number | null, currency: string): string {
  if (amount === null) {
    return trans.__('unknown');
  }
  return amount > 0 && amount < CENT
    ? `< ${withCurrency(decimals(CENT, 2), currency)}`
    : withCurrency(decimals(amount, 2), currency);
}

/**
 * Money for very little, with two significant digits where it is less than ten cents: "$0.0042". Rates are written so:
 * they are compared, and stand still.
 */
export function fineMoney(amount: number, currency: string): string {
  const number = amount === 0 || amount >= FINE ? decimals(amount, 2) : significant(amount, 2);
  return withCurrency(number, currency);
}

/** An amount that somebody named, with all of its digits and at least two decimals: "$0.0316", "$3.00". */
export function exactMoney(amount: number, currency: string): string {
  return withCurrency(exact(amount), currency);
}

/** Money for an hour; where of some workers nobody knows what they cost, it says so. */
export function perHour(
  trans: TranslationBundle,
  amount: number | null,
  currency: string,
  unpriced = 0
): string {
  if (amount === null) {
    return trans.__('unknown');
  }
  const known = trans.__('%1/h', fineMoney(amount, currency));
  return unpriced
    ? trans._n('%2 + %1 worker unknown', '%2 + %1 workers unknown', unpriced, known)
    : known;
}

/** What something without a price would cost elsewhere: "about $0.17/h if it were a cloud machine". */
export function reference(trans: TranslationBundle, perHour: number, currency: string): string {
  return trans.__('about %1/h if it were a cloud machine', fineMoney(perHour, currency));
}

/** The same where there is little room: what is unknown is only marked. */
export function briefRate(trans: TranslationBundle, cost: Rate): string {
  const known = perHour(trans, cost.per_hour, cost.currency);
  return cost.per_hour !== null && cost.unpriced ? trans.__('%1 + ?', known) : known;
}

/** What an hour costs, as far as costs and sums of several have it. */
type Rate = Pick<Cost, 'per_hour' | 'currency' | 'unpriced'>;

/** What a cost and its usage are made of, as far as sums of several have it. */
type Sum = Pick<Cost, 'amount' | 'currency' | 'unknown'>;

/** What is known of a cost, and how much isn't: "$3.10 + 12 CPU-hours unknown". */
export function sum(trans: TranslationBundle, cost: Sum): string {
  const known = money(trans, cost.amount, cost.currency);
  const lacks = missing(trans, cost);
  return lacks ? trans.__('%1 + %2', known, lacks) : known;
}

/** The same to the last digit that says something: a small run's "$0.0042", which a list has as "< $0.01". */
export function fineSum(trans: TranslationBundle, cost: Sum): string {
  const known = cost.amount === null ? trans.__('unknown') : fineMoney(cost.amount, cost.currency);
  const lacks = missing(trans, cost);
  return lacks ? trans.__('%1 + %2', known, lacks) : known;
}

/** The same where there is little room: what is unknown is only marked. */
export function brief(trans: TranslationBundle, cost: Sum): string {
  const known = money(trans, cost.amount, cost.currency);
  return missing(trans, cost) ? trans.__('%1 + ?', known) : known;
}

/** What is not known of a cost: "12 CPU-hours unknown"; empty when all is, or nothing is. */
export function missing(trans: TranslationBundle, { amount, unknown }: Sum): string {
  if (amount === null || (unknown.cpu_hours === 0 && unknown.gpu_hours === 0)) {
    return '';
  }
  return unknown.gpu_hours
    ? trans.__('%1 GPU-hours unknown', quantity(unknown.gpu_hours))
    : trans.__('%1 CPU-hours unknown', quantity(unknown.cpu_hours));
}

/** What a sum of money rests on: whose rates, of when, what was used, and what whole nodes cost. */
export function source(trans: TranslationBundle, cost: Cost): string {
  const { usage } = cost;
  const used = trans.__(
    '%1 CPU-hours and %2 GB-hours used',
    quantity(usage.cpu_hours),
    quantity(usage.gb_hours)
  );
  const gpus = usage.gpu_hours ? trans.__('%1 GPU-hours used', quantity(usage.gpu_hours)) : '';
  const lacks = missing(trans, cost);
  const nodes = cost.dedicated && trans.__('Whole nodes: %1', dedicated(trans, cost));
  const lines = [rates(trans, cost), used, gpus, lacks && trans.__('Of that %1', lacks), nodes];
  return lines.filter(Boolean).join('\n');
}

/** What the nodes cost as a whole while they held any worker; empty where there are no nodes. */
export function dedicated(trans: TranslationBundle, { dedicated, currency }: Cost): string {
  if (!dedicated) {
    return '';
  }
  const { amount, host_hours, unknown_hours } = dedicated;
  const hours = trans.__('%1 node-hours', quantity(host_hours));
  if (amount === null) {
    return trans.__('unknown, %1', hours);
  }
  return unknown_hours
    ? trans.__(
        '%1, %2 of %3 unknown',
        money(trans, amount, currency),
        quantity(unknown_hours),
        hours
      )
    : trans.__('%1, %2', money(trans, amount, currency), hours);
}

/** What a thousand items of a map cost, or rows that it scored; empty while unknown, and for what isn't a map. */
export function perThousand(trans: TranslationBundle, run: RunState): string {
  const items = run.rows || run.done + run.failed;
  const { amount, currency } = run.cost;
  if (run.kind !== 'map' || items === 0 || amount === null || missing(trans, run.cost)) {
    return '';
  }
  const price = fineMoney((amount / items) * 1000, currency);
  return run.rows ? trans.__('%1 per 1,000 rows', price) : trans.__('%1 per 1,000 items', price);
}

/** Whose rates, and of when. */
export function rates(
  trans: TranslationBundle,
  cost: { source: string | null; date?: string }
): string {
  if (cost.source === null) {
    return trans.__(
      'No price was set when it was made. Rates that you name in the settings count for what is made after.'
    );
  }
  return cost.date
    ? trans.__('Price: %1, %2', cost.source, cost.date)
    : trans.__('Price: %1', cost.source);
}

/** A number of hours with the decimals that it deserves; "< 0.01" for less than that. */
export function quantity(amount: number): string {
  if (amount > 0 && amount < 0.01) {
    return `< ${decimals(0.01, 2)}`;
  }
  return decimals(amount, amount >= 100 ? 0 : amount >= 1 ? 1 : 2);
}

/** What a profile costs an hour: at the start, and at most where that is more; "from …" where that isn't known. */
export function estimate(trans: TranslationBundle, value: Estimate): string {
  const { at_start, at_most, currency, asked } = value;
  if (at_start === null) {
    return trans.__('cost unknown');
  }
  const start = fineMoney(at_start, currency);
  const most = at_most === null ? start : fineMoney(at_most, currency);
  const known = start === most ? trans.__('%1/h', start) : trans.__('%1–%2/h', start, most);
  const amount = asked === null ? known : trans.__('about %1', known);
  return at_most === null ? trans.__('from %1', amount) : amount;
}

/** What an estimate rests on: whose rates, or which machines that were there when. */
export function basis(trans: TranslationBundle, value: Estimate, now: number): string {
  const { asked, at_start, source } = value;
  if (source === null) {
    return trans.__('No price is set. Rates that you name in the settings are for all profiles.');
  }
  return asked === null || at_start === null
    ? rates(trans, value)
    : `${rates(trans, value)}\n${machines(trans, value, now - asked)}`;
}

/** What an estimate of machines rests on that were there `age` seconds ago, and what these cost as a whole. */
export function machines(
  trans: TranslationBundle,
  { whole, tail, currency }: Pick<Estimate, 'whole' | 'tail' | 'currency'>,
  age: number
): string {
  const parts = [
    trans.__(
      'About: the cheapest kind of machine that a worker fits on, of those that were there %1 ago.',
      span(trans, Math.max(0, Math.round(age)))
    )
  ];
  if (whole && tail !== null) {
    parts.push(
      trans.__('Whole machines, if nobody else uses them: %1/h.', fineMoney(whole, currency)),
      trans.__(
        'An autoscaler keeps empty ones for about 10 min: about %1 at the end.',
        money(trans, tail, currency)
      )
    );
  }
  return parts.join(' ');
}
