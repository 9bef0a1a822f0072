import { TranslationBundle } from '@jupyterlab/translation';

import { ClusterOrder, RunOrder } from '../state/order';

/** An order of a list in a word or two. */
export function order(trans: TranslationBundle, value: ClusterOrder | RunOrder): string {
  const words: Record<ClusterOrder | RunOrder, string> = {
    newest: trans.__('newest first'),
    name: trans.__('by name'),
    busy: trans.__('busiest first'),
    cluster: trans.__('by cluster'),
    longest: trans.__('longest first'),
    cost: trans.__('most costly first')
  };
  return words[value];
}
