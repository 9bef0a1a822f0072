import { ILabShell, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { DocumentRegistry } from '@jupyterlab/docregistry';
import { Widget } from '@lumino/widgets';

import { choose, clusterOf, report } from '../ask';
import { CommandIDs, takes } from '../commands';
import { makePane } from '../dashboard/pane';
import { IPlot, LAYOUT, plotsOf } from '../dashboard/plots';
import { idOf, isLive, nameOf } from '../state/state';
import { Store } from '../state/store';
import { DOMAIN, IStore } from './core';

type Options = DocumentRegistry.IOpenOptions;

/** As with details: a kind of its own. */
const DASHBOARD = 'ML Ops Dashboard';

/** Dask's dashboard as a tab, and its plots as panes. */
export const dashboards: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:dashboards',
  description: 'Dask’s dashboards of clusters, whole and plot by plot.',
  autoStart: true,
  requires: [IStore],
  optional: [ITranslator, ILabShell],
  activate: (
    app: JupyterFrontEnd,
    store: Store,
    translator: ITranslator | null,
    labShell: ILabShell | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    // Not restored with the layout: an address of a cluster that has ended would only be an error page.
    const open = new Map<string, Widget>();

    const show = (
      cluster: string,
      { page, title }: IPlot,
      options: Options = {}
    ): Widget | null => {
      if (!labShell) {
        // Notebook 7 has one document a page: the browser's own tabs are its tabs.
        window.open(store.api.dashboard(cluster, page), '_blank');
        return null;
      }
      const id = `jupyter-mlops-dashboard-${cluster}-${page}`;
      let widget = open.get(id);
      if (!widget || widget.isDisposed) {
        widget = makePane(
          id,
          trans.__('%1 · %2', title, nameOf(cluster)),
          store.api.dashboard(cluster, page)
        );
        open.set(id, widget);
        app.shell.add(widget, 'main', { type: DASHBOARD, ...options });
      }
      app.shell.activateById(id);
      return widget;
    };
    const isEnabled = (args: { cluster?: unknown }): boolean =>
      typeof args.cluster !== 'string' ||
      store.state.clusters.get(idOf(store.state.clusters, args.cluster))?.phase === 'running';

    app.commands.addCommand(CommandIDs.openDashboard, {
      label: trans.__('Dask’s Dashboard'),
      caption: trans.__('Dask’s own dashboard of a cluster'),
      describedBy: takes({ cluster: 'string' }),
      isEnabled,
      execute: async args => {
        const cluster = await clusterOf(store, trans, args, isLive);
        if (cluster) {
          show(cluster, { page: 'status', title: trans.__('Dashboard') });
        }
      }
    });

    app.commands.addCommand(CommandIDs.openPlot, {
      label: trans.__('A Plot of the Dashboard…'),
      caption: trans.__('One plot of Dask’s dashboard, as a pane of its own'),
      describedBy: takes({ cluster: 'string', plot: 'string' }),
      isEnabled,
      execute: async args => {
        const cluster = await clusterOf(store, trans, args, isLive);
        if (cluster) {
          await report(openPlot(cluster, args.plot as string | undefined));
        }
      }
    });

    const openPlot = async (cluster: string, page: string | undefined): Promise<void> => {
      const plots = plotsOf(await store.api.plots(cluster));
      const plot = page
        ? plots.find(plot => plot.page === page)
        : await choose(
            trans,
            trans.__('Which plot of %1?', nameOf(cluster)),
            plots,
            plot => plot.title,
            trans.__('This Dask has no single plots')
          );
      if (plot) {
        show(cluster, plot, { mode: 'split-right' });
      }
    };

    app.commands.addCommand(CommandIDs.openPlots, {
      label: trans.__('Plots Beside the Notebook'),
      caption: trans.__('Task stream, progress and memory per worker, as panes'),
      describedBy: takes({ cluster: 'string' }),
      isEnabled,
      execute: async args => {
        const cluster = await clusterOf(store, trans, args, isLive);
        if (!cluster) {
          return;
        }
        if (!labShell) {
          show(cluster, { page: 'status', title: '' });
          return;
        }
        const before = app.shell.currentWidget;
        let above: Widget | null = null;
        for (const plot of LAYOUT) {
          above = show(
            cluster,
            plot,
            above ? { mode: 'split-bottom', ref: above.id } : { mode: 'split-right' }
          );
        }
        if (before) {
          app.shell.activateById(before.id);
        }
      }
    });
  }
};
