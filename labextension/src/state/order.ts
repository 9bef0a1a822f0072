import { ClusterState, RunState } from './schema';
import { isRunning, newest } from './state';

/** The orders of the lists, the first one by default. */
export const CLUSTER_ORDERS = ['newest', 'name', 'busy', 'cost'] as const;
export const RUN_ORDERS = ['newest', 'name', 'cluster', 'longest', 'cost'] as const;

export type ClusterOrder = (typeof CLUSTER_ORDERS)[number];
export type RunOrder = (typeof RUN_ORDERS)[number];

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

/** Clusters in an order, one's own before all others; equals newest first. */
export function orderClusters(
  clusters: Iterable<ClusterState>,
  order: ClusterOrder
): ClusterState[] {
  const all = newest(clusters, cluster => cluster.name);
  switch (order) {
    case 'name':
      all.sort((a, b) => collator.compare(a.name, b.name));
      break;
    case 'busy':
      all.sort((a, b) => b.counts.busy - a.counts.busy);
      break;
    case 'cost':
      all.sort((a, b) => (b.cost.per_hour ?? -1) - (a.cost.per_hour ?? -1));
      break;
  }
  return [...all.filter(cluster => cluster.mine), ...all.filter(cluster => !cluster.mine)];
}

/** Runs in an order, live ones before all others; equals newest first. */
export function orderRuns(runs: Iterable<RunState>, order: RunOrder, now: number): RunState[] {
  const all = newest(runs, run => run.id);
  const took = (run: RunState): number => (run.ended ?? now) - run.created;
  switch (order) {
    case 'name':
      all.sort((a, b) => collator.compare(a.name, b.name));
      break;
    case 'cluster':
      all.sort((a, b) => collator.compare(a.cluster, b.cluster));
      break;
    case 'longest':
      all.sort((a, b) => took(b) - took(a));
      break;
    case 'cost':
      all.sort((a, b) => (b.cost.amount ?? -1) - (a.cost.amount ?? -1));
      break;
  }
  return [...all.filter(isRunning), ...all.filter(run => !isRunning(run))];
}
