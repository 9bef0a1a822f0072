import { TranslationBundle } from '@jupyterlab/translation';

import { ClusterState } from '../state/schema';

/** Clusters of others: what can be done with them from here, and what must be said before. */

/** What a cluster may be asked. */
export type Verb = 'scale' | 'let_go' | 'adapt' | 'limit' | 'stop' | 'run';

/** The maker of the clusters that we made. */
const OURS = 'jupyter-mlops';

type Made = Pick<ClusterState, 'id' | 'name' | 'owner' | 'mine' | 'maker' | 'commands'>;

/** Whether it was made with this tool, by whomever. */
export function isOurs(cluster: Made): boolean {
  return cluster.maker === OURS;
}

/** Whether it can be asked to do this. */
export function may(cluster: Made, verb: Verb): boolean {
  return cluster.commands.includes(verb);
}

/** Its name and where it is: "flights.ml.kubernetes". */
export function pathOf(cluster: Made): string {
  return cluster.id.split('~', 1)[0];
}

/** Whose it is, and what made it, to stand beside its place; nothing for one's own. */
export function byWhom(cluster: Made): string {
  const words = cluster.mine ? [] : [cluster.owner, isOurs(cluster) ? '' : cluster.maker];
  return words.filter(Boolean).join(' · ');
}

/** The same as sentences; nothing for one's own. */
export function whose(trans: TranslationBundle, cluster: Made): string | undefined {
  const owner = cluster.owner && trans.__('It belongs to %1, not to you.', cluster.owner);
  const made = !isOurs(cluster) && trans.__('It was made with %1, not from here.', cluster.maker);
  return cluster.mine ? undefined : [owner, made].filter(Boolean).join(' ') || undefined;
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

/** What to think of before it is stopped; nothing for one's own. */
export function warning(trans: TranslationBundle, cluster: Made): string {
  if (cluster.mine) {
    return '';
  }
  const used = trans.__('Whoever made it may be using it.');
  const gone = trans.__('All that was made for it in Kubernetes is removed.');
  return [whose(trans, cluster), used, isOurs(cluster) ? '' : gone].filter(Boolean).join(' ');
}

/** What is left of it when it has stopped. */
export function remains(trans: TranslationBundle, cluster: Made): string {
  return isOurs(cluster)
    ? trans.__('Its receipt, logs and the history of its runs stay.')
    : trans.__('Only the history of runs that were sent from here stays.');
}
