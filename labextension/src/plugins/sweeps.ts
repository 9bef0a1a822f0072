import {
  ILabShell,
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { choose } from '../ask';
import { CommandIDs, takes } from '../commands';
import { newest, runOf } from '../state/state';
import { Store } from '../state/store';
import { SweepWidget } from '../sweep/widget';
import { clock } from '../words/time';
import { DOMAIN, IStore } from './core';
import { Tabs } from './tabs';

/** The trials of sweeps, as tabs of the main area. */
export const sweeps: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:sweeps',
  description: 'The trials of sweeps, as tabs.',
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
    const tabs = new Tabs<SweepWidget>(app, labShell, restorer, {
      namespace: 'jupyter-mlops-sweeps',
      type: 'ML Ops Sweeps',
      command: CommandIDs.openTrials,
      args: content => ({ run: content.run }),
      name: content => content.run
    });

    app.commands.addCommand(CommandIDs.openTrials, {
      label: trans.__('Trials of a Sweep…'),
      caption: trans.__('What a sweep tried, as lines and as a table'),
      describedBy: takes({ run: 'string' }),
      execute: async args => {
        const id = (args.run as string | undefined) ?? (await ask());
        if (id !== undefined) {
          const label = runOf(store.state, id)?.name ?? id;
          tabs.show(id, () => ({
            content: new SweepWidget(context, id),
            label,
            caption: trans.__('Trials of the sweep %1', label)
          }));
        }
      }
    });

    async function ask(): Promise<string | undefined> {
      const named = await choose(
        trans,
        trans.__('The trials of which sweep?'),
        newest(store.state.runs.values(), run => run.id).filter(run => run.kind === 'sweep'),
        run => `${run.name}, ${clock(run.created, store.now())}`,
        trans.__('No sweep yet')
      );
      return named?.id;
    }
  }
};
