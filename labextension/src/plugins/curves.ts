import {
  ILabShell,
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { choose } from '../ask';
import { CommandIDs, takes } from '../commands';
import { CurvesWidget } from '../curve/widget';
import { newest, runOf } from '../state/state';
import { Store } from '../state/store';
import { clock } from '../words/time';
import { DOMAIN, IStore } from './core';
import { Tabs } from './tabs';

/** The curves of runs, as tabs of the main area. */
export const curves: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:curves',
  description: 'The curves of runs, as tabs.',
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
    const tabs = new Tabs<CurvesWidget>(app, labShell, restorer, {
      namespace: 'jupyter-mlops-curves',
      type: 'ML Ops Curves',
      command: CommandIDs.openCurves,
      args: content => ({ run: content.run }),
      name: content => content.run
    });

    app.commands.addCommand(CommandIDs.openCurves, {
      label: trans.__('Curves of a Run…'),
      caption: trans.__('What a run logged, step by step, beside other runs'),
      describedBy: takes({ run: 'string' }),
      execute: async args => {
        const id = (args.run as string | undefined) ?? (await ask());
        if (id !== undefined) {
          const label = runOf(store.state, id)?.name ?? id;
          tabs.show(id, () => ({
            content: new CurvesWidget(context, id),
            label,
            caption: trans.__('Curves of the run %1', label)
          }));
        }
      }
    });

    async function ask(): Promise<string | undefined> {
      const logged = newest(store.state.runs.values(), run => run.id).filter(
        run => Object.keys(run.metrics).length > 0
      );
      const none = trans.__('No run has logged a metric yet');
      const words = trans.__('The curves of which run?');
      const named = await choose(
        trans,
        words,
        logged,
        run => `${run.name}, ${clock(run.created, store.now())}`,
        none
      );
      return named?.id;
    }
  }
};
