import { TranslationBundle } from '@jupyterlab/translation';

import { Waste, WorkerState } from '../state/schema';
import { money, perHour, rates } from './money';
import { number } from './number';
import { about } from './time';

/** Which workers cost money and do nothing: "7 of 40 workers idle for 12 min: $0.84 so far, $4.20/h". */
export function waste(trans: TranslationBundle, value: Waste, named = false): string {
  const of = named
    ? trans._n(
        '%2 worker of group %3',
        '%2 workers of group %3',
        value.of,
        number(value.of),
        value.group
      )
    : trans._n('%2 worker', '%2 workers', value.of, number(value.of));
  const args = [number(value.workers), of, about(trans, value.seconds)];
  const head = {
    idle: trans.__('%1 of %2 idle for %3', ...args),
    starved: trans.__('%1 of %2 without a task for %3 though some wait', ...args),
    stuck: trans.__('%1 of %2 busy for %3 without doing anything', ...args)
  }[value.kind];
  const { amount, per_hour, currency } = value;
  return amount === null
    ? head
    : trans.__(
        '%1: %2 so far, %3',
        head,
        money(trans, amount, currency),
        perHour(trans, per_hour, currency)
      );
}

/** Which they are, how that is known, and what to do about it. */
export function wasteDetails(trans: TranslationBundle, value: Waste): string {
  const more = value.workers - value.names.length;
  const names = value.names.join(', ');
  const lines = [
    more > 0 ? trans.__('%1 and %2 more', names, number(more)) : names,
    trans.__('Measured: a look every 15 s, nine of ten the same for five minutes.'),
    value.amount === null ? '' : rates(trans, value),
    {
      idle: value.spare
        ? ''
        : trans.__(
            'They can be let go from here once it is ten minutes, down to the group’s minimum.'
          ),
      starved: trans.__(
        'Their memory may be full, or the tasks may not run on them: look at groups and restrictions.'
      ),
      stuck: trans.__(
        'Their tasks use no CPU and move no data: see where their code is, in the run’s details.'
      )
    }[value.kind]
  ];
  return lines.filter(Boolean).join('\n');
}

/** The same of one worker, in a word; empty for those that are well. */
export function wasteWord(trans: TranslationBundle, kind: WorkerState['waste']): string {
  return kind === null
    ? ''
    : { idle: trans.__('long idle'), starved: trans.__('starved'), stuck: trans.__('stuck') }[kind];
}
