import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, takes } from '../commands';
import { mlopsIcon } from '../icons';
import { Sidebar } from '../sidebar/widget';
import { Store } from '../state/store';
import { StatusItem } from '../status/item';
import { DOMAIN, IStore } from './core';

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
