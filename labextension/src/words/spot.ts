import { TranslationBundle } from '@jupyterlab/translation';

import { GroupState } from '../state/schema';
import { moment } from './time';

/** Why workers of a spot group are on demand: "No spot machine since 14:05; on demand until 14:35". */
export function spotBreak(
  trans: TranslationBundle,
  group: GroupState,
  now: number,
  named = false
): string {
  const known = group.spot_break;
  if (!known) {
    return '';
  }
  const since = moment(known.since, now);
  const why =
    known.why === 'due'
      ? trans.__('Behind its deadline since %1', since)
      : trans.__('No spot machine since %1', since);
  const until =
    known.until === null
      ? trans.__('%1; on demand', why)
      : trans.__('%1; on demand until %2', why, moment(known.until, now));
  return named ? trans.__('%1: %2', group.name, until) : until;
}
