import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IFrame, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';

import { choose } from '../ask';
import { CommandIDs, takes } from '../commands';
import { Part } from '../details/part';
import { DetailsWidget } from '../details/widget';
import { mlopsIcon } from '../icons';
import { ClusterState } from '../state/schema';
import { isLive, newest } from '../state/state';
import { Store } from '../state/store';
import { DOMAIN, IStore } from './core';

/** Kinds of widgets. Lab remembers for each kind on which side its widgets are: who moves one moves all of its kind. */
const DETAILS = 'ML Ops Details';
const DASHBOARD = 'ML Ops Dashboard';

/** The tabs of the main area: details, and Dask's dashboard. */
export const details: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:details',
  description: 'Details and dashboards of clusters, as tabs.',
  autoStart: true,
  requires: [IStore],
  optional: [ITranslator, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    store: Store,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const context = { store, commands: app.commands, trans };
    const tracker = new WidgetTracker<MainAreaWidget<DetailsWidget>>({
      namespace: 'jupyter-mlops-details'
    });
    const dashboards = new Map<string, MainAreaWidget>();

    app.commands.addCommand(CommandIDs.openDetails, {
      label: trans.__('Details'),
      caption: trans.__('Workers, timeline, events, logs and cost of a cluster'),
      describedBy: takes({ cluster: 'string', part: 'string' }),
      execute: async args => {
        const cluster = (args.cluster as string) ?? (await pick(store, trans, () => true));
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

    app.commands.addCommand(CommandIDs.openDashboard, {
      label: trans.__('Dask’s Dashboard'),
      caption: trans.__('Dask’s own dashboard of a cluster'),
      describedBy: takes({ cluster: 'string' }),
      isEnabled: args => {
        const cluster = store.state.clusters.get(args.cluster as string);
        return !args.cluster || cluster?.phase === 'running';
      },
      execute: async args => {
        const cluster = (args.cluster as string) ?? (await pick(store, trans, isLive));
        if (cluster) {
          const open = dashboards.get(cluster);
          const widget = open && !open.isDisposed ? open : makeDashboard(cluster);
          app.shell.activateById(widget.id);
        }
      }
    });

    function makeDetails(cluster: string, part?: Part): MainAreaWidget<DetailsWidget> {
      const content = new DetailsWidget(context, cluster, part);
      const widget = new MainAreaWidget({ content });
      widget.id = `jupyter-mlops-details-${cluster}`;
      widget.title.label = cluster;
      widget.title.caption = trans.__('Details of the cluster %1', cluster);
      widget.title.icon = mlopsIcon;
      widget.toolbar.hide();
      app.shell.add(widget, 'main', { type: DETAILS });
      void tracker.add(widget);
      return widget;
    }

    // Not restored with the layout: an address of a cluster that has ended would only be an error page.
    function makeDashboard(cluster: string): MainAreaWidget {
      const content = new IFrame({
        // The page is the cluster's: its scripts must not reach ours. The server sends it on to an address with a key.
        sandbox: [
          'allow-scripts',
          'allow-popups',
          'allow-forms',
          'allow-downloads'
        ]
      });
      content.url = store.api.dashboard(cluster);
      const widget = new MainAreaWidget({ content });
      widget.id = `jupyter-mlops-dashboard-${cluster}`;
      widget.title.label = trans.__('%1 dashboard', cluster);
      widget.title.icon = mlopsIcon;
      widget.title.closable = true;
      widget.toolbar.hide();
      app.shell.add(widget, 'main', { type: DASHBOARD });
      dashboards.set(cluster, widget);
      return widget;
    }

    void restorer?.restore(tracker, {
      command: CommandIDs.openDetails,
      args: widget => ({ cluster: widget.content.cluster, part: widget.content.shown.part }),
      name: widget => widget.content.cluster
    });
  }
};

async function pick(
  store: Store,
  trans: TranslationBundle,
  among: (cluster: ClusterState) => boolean
): Promise<string | null> {
  const clusters = newest(store.state.clusters.values(), cluster => cluster.name);
  const cluster = await choose(
    trans,
    trans.__('Of which cluster?'),
    clusters.filter(among),
    cluster => cluster.name,
    trans.__('There is no cluster')
  );
  return cluster?.name ?? null;
}
