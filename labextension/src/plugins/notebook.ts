import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { choose, clusterOf, report } from '../ask';
import { CommandIDs, takes } from '../commands';
import { connectNotebook, insertBelow, insertCode, revealCell } from '../notebook/cell';
import { clientCode, isSavable, saveCode } from '../notebook/code';
import { panelFactory } from '../notebook/panel';
import { addScheduleCommands, INotebooks } from '../schedules/commands';
import { Origin } from '../state/schema';
import { isLive, newest, runOf, spelled } from '../state/state';
import { Store } from '../state/store';
import { DOMAIN, IStore } from './core';

/** What leads from clusters and runs to notebooks. */
export const notebook: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:notebook',
  description: 'Connects notebooks to clusters, finds the cells of runs, and shows panels.',
  autoStart: true,
  requires: [IStore, INotebookTracker, IDocumentManager],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    store: Store,
    tracker: INotebookTracker,
    documents: IDocumentManager,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    tracker.widgetAdded.connect((_, { content: { rendermime } }) =>
      rendermime.addFactory(panelFactory(rendermime, trans))
    );

    app.commands.addCommand(CommandIDs.useCluster, {
      label: trans.__('Use in This Notebook'),
      caption: trans.__('Connect the current notebook to a cluster'),
      describedBy: takes({ cluster: 'string' }),
      execute: async args => {
        const cluster = await clusterOf(store, trans, args, isLive);
        if (cluster) {
          await report(
            connectNotebook(app.commands, tracker, spelled(store.state.clusters, cluster))
          );
        }
      }
    });

    addScheduleCommands(app.commands, store, trans, openNotebooks(app, tracker));
    tracker.currentChanged.connect(() =>
      app.commands.notifyCommandChanged(CommandIDs.scheduleNotebook)
    );

    app.commands.addCommand(CommandIDs.insertCode, {
      label: trans.__('Insert Code That Connects'),
      caption: trans.__('Put the lines that connect to a cluster into the current notebook'),
      describedBy: takes({ cluster: 'string' }),
      execute: async args => {
        const cluster = await clusterOf(store, trans, args, isLive);
        if (cluster) {
          await report(
            insertCode(app.commands, tracker, clientCode(spelled(store.state.clusters, cluster)))
          );
        }
      }
    });

    app.commands.addCommand(CommandIDs.revealRun, {
      label: trans.__('Go to the Cell of a Run…'),
      describedBy: takes({ run: 'string' }),
      execute: async args => {
        const runs = newest(store.state.runs.values(), run => run.id);
        const run =
          runOf(store.state, args.run as string) ??
          (await choose(
            trans,
            trans.__('Go to the cell of which run?'),
            runs.filter(run => run.origin.notebook),
            run => run.name,
            trans.__('No run came from a notebook')
          ));
        if (run) {
          await reveal(run.origin, run.name);
        }
      }
    });

    /** Go to a cell, and say where it is gone. */
    const reveal = async (origin: Pick<Origin, 'notebook' | 'cell'>, of: string): Promise<void> => {
      if (!(await revealCell(documents, origin))) {
        const words = of
          ? trans.__('%1 doesn’t have the cell of “%2” any more', origin.notebook, of)
          : trans.__('%1 doesn’t have that cell any more', origin.notebook);
        Notification.info(words, { autoClose: 5000 });
      }
    };

    app.commands.addCommand(CommandIDs.revealCell, {
      label: trans.__('Go to a Cell'),
      describedBy: takes({ notebook: 'string', cell: 'string' }),
      isVisible: () => false, // nobody knows a cell by its id
      execute: async args =>
        reveal({ notebook: String(args.notebook ?? ''), cell: String(args.cell ?? '') }, '')
    });

    app.commands.addCommand(CommandIDs.saveModel, {
      label: trans.__('Save What a Run Made as a Model…'),
      caption: trans.__('Put the line that saves it below the run’s cell'),
      describedBy: takes({ run: 'string' }),
      execute: async args => {
        const run =
          runOf(store.state, args.run as string) ??
          (await choose(
            trans,
            trans.__('Save what which run made?'),
            newest(store.state.runs.values(), run => run.id).filter(isSavable),
            run => run.name,
            trans.__('No run is done')
          ));
        if (run) {
          await report(insertBelow(app.commands, tracker, documents, run.origin, saveCode(run)));
        }
      }
    });
  }
};

/** The notebooks that are open, by their paths on the server. */
function openNotebooks(app: JupyterFrontEnd, tracker: INotebookTracker): INotebooks {
  const { contents } = app.serviceManager;
  const pathOf = (panel: NotebookPanel): string => contents.localPath(panel.context.path);
  return {
    current: () => (tracker.currentWidget ? pathOf(tracker.currentWidget) : null),
    save: async path => {
      const open = tracker.find(panel => pathOf(panel) === path);
      if (open?.context.model.dirty) {
        await open.context.save();
      }
    }
  };
}
