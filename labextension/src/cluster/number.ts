import { InputDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { ClusterState, GroupState } from '../state/schema';

/** Ask for a number of workers of a group; null when the user changed their mind. */
export async function askWorkers(
  trans: TranslationBundle,
  cluster: ClusterState,
  group: GroupState
): Promise<number | null> {
  const { value } = await InputDialog.getNumber({
    title: trans.__('Workers of %1', cluster.name),
    label: trans.__('%1 to %2', group.minimum, group.maximum),
    value: group.wanted,
    okLabel: trans.__('Scale'),
    cancelLabel: trans.__('Cancel')
  });
  return value === null ? null : Math.round(value);
}
