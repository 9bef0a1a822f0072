import { InputDialog, Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { asProblem } from './request';
import { ClusterState } from './state/schema';
import { idOf, newest, spelled } from './state/state';
import { IMlops } from './tokens';

/**
 * Let the user choose one of `values` by the words that `show` gives them.
 *
 * @returns null when there is none, or when the user changed their mind.
 */
export async function choose<T>(
  trans: TranslationBundle,
  title: string,
  values: readonly T[],
  show: (value: T) => string,
  none: string
): Promise<T | null> {
  if (values.length === 0) {
    Notification.info(none, { autoClose: 4000 });
    return null;
  }
  const items = values.map(show);
  const { value, button } = await InputDialog.getItem({
    title,
    items,
    okLabel: trans.__('Choose'),
    cancelLabel: trans.__('Cancel')
  });
  return button.accept && value !== null ? values[items.indexOf(value)] : null;
}

/** The id of the cluster that a command was given, or that is picked instead; null when none is. */
export async function clusterOf(
  store: Pick<IMlops, 'state'>,
  trans: TranslationBundle,
  args: { cluster?: unknown },
  among: (cluster: ClusterState) => boolean
): Promise<string | null> {
  if (typeof args.cluster === 'string') {
    return idOf(store.state.clusters, args.cluster);
  }
  const clusters = newest(store.state.clusters.values(), cluster => cluster.id);
  const cluster = await choose(
    trans,
    trans.__('Which cluster?'),
    clusters.filter(among),
    cluster => spelled(store.state.clusters, cluster.id),
    trans.__('No cluster is running')
  );
  return cluster?.id ?? null;
}

/** Show what failed, where no view is there to show it. */
export async function report(task: Promise<unknown>): Promise<void> {
  try {
    await task;
  } catch (error) {
    const { what, why, todo } = asProblem(error);
    const words = [what, why, todo].filter(Boolean);
    Notification.error(words.join('\n\n'), { autoClose: false });
  }
}
