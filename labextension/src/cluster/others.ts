import { TranslationBundle } from '@jupyterlab/translation';

import { ClusterState } from '../state/schema';

/** Clusters that others made: what can be done with them from here, and what must be said before. */

/** What a cluster may be asked. */
export type Verb = 'scale' | 'adapt' | 'stop' | 'run';

/** The maker of the clusters that we made. */
const OURS = 'jupyter-mlops';

type Made = Pick<ClusterState, 'name' | 'maker' | 'commands'>;

/** Whether we made it. */
export function isOurs(cluster: Made): boolean {
  return cluster.maker === OURS;
}

/** Whether it can be asked to do this. */
export function may(cluster: Made, verb: Verb): boolean {
  return cluster.commands.includes(verb);
}

/** Who made it, to stand beside its place; nothing for ours. */
export function maker(cluster: Made): string {
  return isOurs(cluster) ? '' : cluster.maker;
}

/** The same in words; nothing for ours. */
export function madeWith(trans: TranslationBundle, cluster: Made): string | undefined {
  return isOurs(cluster)
    ? undefined
    : trans.__('It was made with %1, not from here', cluster.maker);
}

/** The label of the button that stops it: what it does, or why it can't be done here. */
export function stopLabel(trans: TranslationBundle, cluster: Made): string {
  if (may(cluster, 'stop')) {
    return trans.__('Stop %1…', cluster.name);
  }
  return cluster.maker === 'helm'
    ? trans.__('%1 is a release of Helm: `helm uninstall %1` stops it', cluster.name)
    : trans.__('%1 is stopped with %2, which made it', cluster.name, cluster.maker);
}

/** What to think of before it is stopped; nothing for ours. */
export function warning(trans: TranslationBundle, cluster: Made): string {
  return isOurs(cluster)
    ? ''
    : trans.__(
        'It was made with %1, not from here: whoever made it may be using it. All that was made for it in Kubernetes is removed.',
        cluster.maker
      );
}

/** What is left of it when it has stopped. */
export function remains(trans: TranslationBundle, cluster: Made): string {
  return isOurs(cluster)
    ? trans.__('Its receipt, logs and the history of its runs stay.')
    : trans.__('Only the history of runs that were sent from here stays.');
}
