import { TranslationBundle } from '@jupyterlab/translation';

import { Budget, RunState } from '../state/schema';
import { CENT, fineMoney, money, perHour } from './money';
import { moment } from './time';

/** What is spent, and what is held beside it for usage without a price: "$4.00 + about $3.00 assumed". */
export function used(trans: TranslationBundle, budget: Budget): string {
  const { spent, assumed, currency } = budget;
  const known = money(trans, spent, currency);
  if (assumed <= 0) {
    return known;
  }
  const amount = money(trans, assumed, currency);
  const held =
    assumed < CENT ? trans.__('%1 assumed', amount) : trans.__('about %1 assumed', amount);
  // What nobody knows is not nothing.
  return spent > 0 ? trans.__('%1 + %2', known, held) : held;
}

/** The part of it that is used, in per cent: 62. */
export function percent({ spent, assumed, limit }: Budget): number {
  return Math.floor(((spent + assumed) / limit) * 100);
}

/** Until when it lasts, if nothing changes; empty where nothing is taken off it. */
export function lasts(trans: TranslationBundle, budget: Budget, now: number): string {
  return budget.until === null ? '' : trans.__('lasts until %1', moment(budget.until, now));
}

/** What its step means; empty where nothing is to be said. */
export function step(trans: TranslationBundle, budget: Budget): string {
  switch (budget.step) {
    case 'half':
      return trans.__('half of the budget is used');
    case 'warn':
      return trans.__('%1% of the budget is used: from 90% on no worker is added', percent(budget));
    case 'no growth':
      return trans.__('%1% of the budget is used: no worker is added', percent(budget));
    case 'drain':
      return trans.__('the budget is nearly used up: no task begins, those that run may end');
    case 'stop':
      return budget.unbounded
        ? trans.__('it has workers without a price, for which its budget can’t be kept')
        : trans.__('the budget is used up');
    default:
      return '';
  }
}

/** All that is known of it, a line each. */
export function details(trans: TranslationBundle, budget: Budget, now: number): string {
  const { currency } = budget;
  const free = Math.max(0, budget.limit - budget.spent - budget.assumed);
  const lines = [
    trans.__('Budget: %1', fineMoney(budget.limit, currency)),
    trans.__('Spent, as the prices say: %1', money(trans, budget.spent, currency)),
    budget.assumed > 0 &&
      trans.__(
        'Assumed for what has no price: about %1, a quarter above OpenCost’s default rates',
        money(trans, budget.assumed, currency)
      ),
    budget.projected > 0 &&
      trans.__('What runs now will still take: about %1', money(trans, budget.projected, currency)),
    trans.__('Free: %1', money(trans, free, currency)),
    budget.until !== null &&
      trans.__(
        'At %1 it lasts until %2',
        perHour(trans, budget.per_hour, currency),
        moment(budget.until, now)
      )
  ];
  return lines.filter(Boolean).join('\n');
}

/** What all of a map, sweep or gang will cost, and where a budget would end it; empty while that can't be told. */
export function projection(trans: TranslationBundle, run: RunState): string {
  const known = run.projection;
  if (!known) {
    return '';
  }
  const { currency, budget, stops_at, own } = known;
  const [about, low, high] = [known.amount, known.low, known.high].map(each =>
    each === null ? '' : fineMoney(each, currency)
  );
  const what = noun(trans, run.kind);
  const cost =
    known.amount === null ? '' : trans.__('%1 will cost about %2 (%3–%4)', what, about, low, high);
  if (stops_at === null || budget === null) {
    return cost;
  }
  const limit = fineMoney(budget, currency);
  const part = Math.round(stops_at * 100);
  const whose = own ? trans.__('its own budget') : trans.__('the budget');
  return cost
    ? trans.__('%1; %2 is %3: it would stop at %4%', cost, whose, limit, part)
    : trans.__('%1 is %2: %3 would stop at %4%', whose, limit, what, part);
}

function noun(trans: TranslationBundle, kind: RunState['kind']): string {
  return kind === 'gang'
    ? trans.__('this gang')
    : kind === 'sweep'
      ? trans.__('this sweep')
      : trans.__('this map');
}

/** What is offered for the maps that run now, as a multiple of what they are expected to take. */
const RESERVE = 1.15;

/** A round sum to raise it by: about half of it, 10 for 20; more where the maps that run now need more. */
export function more({ limit, spent, assumed, projected }: Budget): number {
  const part = 10 ** Math.floor(Math.log10(limit / 2));
  const half = part * ([5, 2, 1].find(each => each * part <= (limit / 2) * (1 + 1e-9)) ?? 1);
  const lacks = spent + assumed + RESERVE * projected - limit;
  if (lacks <= half) {
    return half;
  }
  const unit = 10 ** Math.floor(Math.log10(lacks));
  return unit * ([1, 2, 5].find(each => each * unit >= lacks) ?? 10);
}
