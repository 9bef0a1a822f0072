import {
  ILabShell,
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { clusterOf } from '../ask';
import { CommandIDs, takes } from '../commands';
import { Part } from '../details/part';
import { DetailsWidget } from '../details/widget';
import { mlopsIcon } from '../icons';
import { nameOf } from '../state/state';
import { Store } from '../state/store';
import { DOMAIN, IStore } from './core';

/** Lab remembers for each kind of widgets on which side they are: who moves one moves all of its kind. */
const DETAILS = 'ML Ops Details';

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
    const tracker = new WidgetTracker<MainAreaWidget<DetailsWidget>>({
      namespace: 'jupyter-mlops-details'
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
        const open = tracker.find(widget => widget.content.cluster === cluster);
        if (open && part) {
          open.content.shown.show(part);
        }
        const widget = open ?? makeDetails(cluster, part);
        app.shell.activateById(widget.id);
      }
    });

    function makeDetails(cluster: string, part?: Part): MainAreaWidget<DetailsWidget> {
      const content = new DetailsWidget(context, cluster, part);
      const widget = new MainAreaWidget({ content });
      widget.id = `jupyter-mlops-details-${cluster}`;
      widget.title.label = nameOf(cluster);
      widget.title.caption = trans.__('Details of the cluster %1', nameOf(cluster));
      widget.title.icon = mlopsIcon;
      widget.toolbar.hide();
      // Notebook 7 has one document a page, and room for others beside it.
      app.shell.add(widget, labShell ? 'main' : 'right', { type: DETAILS });
      void tracker.add(widget);
      return widget;
    }

    void restorer?.restore(tracker, {
      command: CommandIDs.openDetails,
      args: widget => ({ cluster: widget.content.cluster, part: widget.content.shown.part }),
      name: widget => widget.content.cluster
    });
  }
};
