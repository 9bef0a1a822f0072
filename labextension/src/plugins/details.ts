import {
  ILabShell,
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { clusterOf } from '../ask';
import { CommandIDs, takes } from '../commands';
import { Part } from '../details/part';
import { DetailsWidget } from '../details/widget';
import { nameOf } from '../state/state';
import { Store } from '../state/store';
import { DOMAIN, IStore } from './core';
import { Tabs } from './tabs';

/** The details of clusters, as tabs of the main area. */
export const details: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:details',
  description: 'Details of clusters, as tabs.',
  autoStart: true,
  requires: [IStore],
  optional: [ITranslator, ILayoutRestorer, ILabShell],
  activate: (
    app: JupyterFrontEnd,
    store: Store,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    labShell: ILabShell | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const context = { store, commands: app.commands, trans };
    const tabs = new Tabs<DetailsWidget>(app, labShell, restorer, {
      namespace: 'jupyter-mlops-details',
      type: 'ML Ops Details',
      command: CommandIDs.openDetails,
      args: content => ({ cluster: content.cluster, part: content.shown.part }),
      name: content => content.cluster
    });

    app.commands.addCommand(CommandIDs.openDetails, {
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
};
