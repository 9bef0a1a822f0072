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
  const until = known.until === null ? '' : moment(known.until, now);
  const text = {
    due: until
      ? trans.__('On demand since %1 until %2, so that a map isn’t late', since, until)
      : trans.__('On demand since %1, so that a map isn’t late', since),
    'none came': until
      ? trans.__('No spot machine since %1; on demand until %2', since, until)
      : trans.__('No spot machine since %1; on demand', since)
  }[known.why];
  return named ? trans.__('%1: %2', group.name, text) : text;
}
