import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';

import { choose, report } from '../ask';
import { CommandIDs, takes } from '../commands';
import { mlopsIcon } from '../icons';
import { Sidebar } from '../sidebar/widget';
import { newest, runOf } from '../state/state';
import { Store } from '../state/store';
import { StatusItem } from '../status/item';
import { clock } from '../words/time';
import { DOMAIN, IStore } from './core';

/** Runs that are looked through for one that the stream doesn't tell of. */
const MOST_RUNS = 2000;

/** The sidebar, and the ways to it. */
export const sidebar: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:sidebar',
  description: 'The sidebar with clusters and runs.',
  autoStart: true,
  requires: [IStore],
  optional: [ITranslator, ILayoutRestorer, ICommandPalette, ILauncher, IStatusBar],
  activate: (
    app: JupyterFrontEnd,
    store: Store,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    statusBar: IStatusBar | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const context = { store, commands: app.commands, trans };
    const widget = new Sidebar(context);
    app.shell.add(widget, 'left', { rank: 350, type: 'ML Ops' });
    restorer?.add(widget, widget.id);

    app.commands.addCommand(CommandIDs.openPanel, {
      label: args => (args.new ? trans.__('Dask Cluster') : trans.__('Show Clusters and Runs')),
      caption: trans.__('Show clusters and runs in the sidebar'),
      icon: args => (args.new ? mlopsIcon : undefined),
      describedBy: takes({ new: 'boolean' }),
      execute: args => {
        app.shell.activateById(widget.id);
        if (args.new) {
          widget.openNew();
        }
      }
    });
    app.commands.addCommand(CommandIDs.openRun, {
      label: trans.__('Show a Run…'),
      caption: trans.__('Show a run in the sidebar, opened'),
      describedBy: takes({ run: 'string' }),
      execute: async args => {
        const id = (args.run as string | undefined) ?? (await pickRun(store, trans));
        if (id === undefined) {
          return;
        }
        if (!runOf(store.state, id)) {
          await report(store.loadOlder(MOST_RUNS));
        }
        app.shell.activateById(widget.id);
        if (!(await widget.openRun(id))) {
          Notification.info(trans.__('This run is no longer in the history'), { autoClose: 5000 });
        }
      }
    });
    launcher?.add({
      command: CommandIDs.openPanel,
      args: { new: true },
      category: trans.__('Other'),
      rank: 5
    });
    statusBar?.registerStatusItem('jupyter-mlops:status', {
      item: new StatusItem(context),
      align: 'left',
      rank: 20
    });
    for (const command of Object.values(CommandIDs)) {
      palette?.addItem({ command, category: trans.__('ML Ops') });
    }
  }
};

async function pickRun(store: Store, trans: TranslationBundle): Promise<string | undefined> {
  const run = await choose(
    trans,
    trans.__('Show which run?'),
    newest(store.state.runs.values(), run => run.id),
    run => `${run.name}, ${clock(run.created, store.now())}`,
    trans.__('No run yet')
  );
  return run?.id;
}
