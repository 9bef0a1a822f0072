import { TranslationBundle } from '@jupyterlab/translation';

import { AccountState } from '../state/schema';
import { fineMoney, money } from './money';
import { moment } from './time';

/** What all of its clusters have spent of it and hold: "$3.10 spent, $4.00 held of $200.00 a month". */
export function accountUsed(trans: TranslationBundle, account: AccountState): string {
  const { spent, held, limit, currency } = account;
  return trans.__(
    '%1 spent, %2 held of %3 a month',
    money(trans, spent, currency),
    money(trans, held, currency),
    fineMoney(limit, currency)
  );
}

/** What its step means for the cluster; empty where nothing is to be said. */
export function accountStep(trans: TranslationBundle, account: AccountState): string {
  switch (account.step) {
    case 'no growth':
      return trans.__('the account “%1” can’t pay for more: no worker is added', account.name);
    case 'drain':
      return trans.__('the account “%1” is nearly used up: no task begins any more', account.name);
    case 'stop':
      return trans.__('the account “%1” is used up', account.name);
    default:
      return '';
  }
}

/** All that is known of it, a line each. */
export function accountDetails(
  trans: TranslationBundle,
  account: AccountState,
  now: number
): string {
  const { name, limit, spent, held, left, currency, until } = account;
  const free = Math.max(0, limit - spent - held);
  const lines = [
    trans.__('Account “%1”: %2 a month, for several clusters', name, fineMoney(limit, currency)),
    trans.__('Spent by all of them in this month: %1', money(trans, spent, currency)),
    trans.__('Held for what they cost in the next minutes: %1', money(trans, held, currency)),
    trans.__('Of that this cluster has left: %1', money(trans, left, currency)),
    trans.__('Free: %1', money(trans, free, currency)),
    until !== null &&
      trans.__('If no other cluster takes of it, it lasts until %1', moment(until, now))
  ];
  return lines.filter(Boolean).join('\n');
}
