import { TranslationBundle } from '@jupyterlab/translation';

import { SilentPlace } from '../state/schema';
import { span } from './time';

/** What is known of a place that doesn't answer: "Kubernetes doesn’t answer: 2 clusters seen 40 s ago". */
export function silence(trans: TranslationBundle, place: SilentPlace, now: number): string {
  const { what } = place.problem;
  if (place.seen === null) {
    return trans.__('%1, and what is there is not known', what);
  }
  const ago = span(trans, Math.max(0, Math.round(now - place.seen)));
  return trans._n(
    '%2: %1 cluster seen %3 ago',
    '%2: %1 clusters seen %3 ago',
    place.clusters,
    what,
    ago
  );
}
