import {
  ILabShell,
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { choose } from '../ask';
import { CommandIDs, takes } from '../commands';
import { CurvesWidget } from '../curve/widget';
import { mlopsIcon } from '../icons';
import { newest, runOf } from '../state/state';
import { Store } from '../state/store';
import { clock } from '../words/time';
import { DOMAIN, IStore } from './core';

/** Lab remembers for each kind of widgets on which side they are. */
const CURVES = 'ML Ops Curves';

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
    const tracker = new WidgetTracker<MainAreaWidget<CurvesWidget>>({
      namespace: 'jupyter-mlops-curves'
    });

    app.commands.addCommand(CommandIDs.openCurves, {
      label: trans.__('Curves of a Run…'),
      caption: trans.__('What a run logged, step by step, beside other runs'),
      describedBy: takes({ run: 'string' }),
      execute: async args => {
        const id = (args.run as string | undefined) ?? (await ask());
        if (id !== undefined) {
          app.shell.activateById((tracker.find(open => open.content.run === id) ?? make(id)).id);
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

    function make(run: string): MainAreaWidget<CurvesWidget> {
      const widget = new MainAreaWidget({ content: new CurvesWidget(context, run) });
      widget.id = `jupyter-mlops-curves-${run}`;
      widget.title.label = runOf(store.state, run)?.name ?? run;
      widget.title.caption = trans.__('Curves of the run %1', widget.title.label);
      widget.title.icon = mlopsIcon;
      widget.toolbar.hide();
      app.shell.add(widget, labShell ? 'main' : 'right', { type: CURVES });
      void tracker.add(widget);
      return widget;
    }

    void restorer?.restore(tracker, {
      command: CommandIDs.openCurves,
      args: widget => ({ run: widget.content.run }),
      name: widget => widget.content.run
    });
  }
};
