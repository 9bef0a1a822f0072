import { clusterOf } from '../ask';
import { CommandIDs, takes } from '../commands';
import { Part } from '../details/part';
import { DetailsWidget } from '../details/widget';
import { nameOf } from '../state/state';
import { tabsPlugin } from './tabs';

/** The details of clusters, as tabs of the main area. */
export const details = tabsPlugin<DetailsWidget>(
  'jupyter-mlops:details',
  'Details of clusters, as tabs.',
  {
    namespace: 'jupyter-mlops-details',
    type: 'ML Ops Details',
    command: CommandIDs.openDetails,
    args: content => ({ cluster: content.cluster, part: content.shown.part }),
    name: content => content.cluster
  },
  (context, tabs) => {
    const { store, commands, trans } = context;
    commands.addCommand(CommandIDs.openDetails, {
      label: trans.__('Details'),
      caption: trans.__('Workers, timeline, events, logs and cost of a cluster'),
      describedBy: takes({ cluster: 'string', part: 'string' }),
      execute: async args => {
        const cluster = await clusterOf(store, trans, args, () => true);
        if (!cluster) {
          return;
        }
        const part = args.part as Part | undefined;
        if (part) {
          tabs.find(cluster)?.shown.show(part);
        }
        tabs.show(cluster, () => ({
          content: new DetailsWidget(context, cluster, part),
          label: nameOf(cluster),
          caption: trans.__('Details of the cluster %1', nameOf(cluster))
        }));
      }
    });
  }
);
