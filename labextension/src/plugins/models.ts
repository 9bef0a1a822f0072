import {
  ILabShell,
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, takes } from '../commands';
import { mlopsIcon } from '../icons';
import { pickModel } from '../models/commands';
import { ModelWidget } from '../models/widget';
import { Store } from '../state/store';
import { DOMAIN, IStore } from './core';

/** Lab remembers for each kind of widgets on which side they are. */
const MODELS = 'ML Ops Models';

/** The details of models, as tabs of the main area. */
export const models: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:models',
  description: 'Details of models, as tabs.',
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
    const tracker = new WidgetTracker<MainAreaWidget<ModelWidget>>({
      namespace: 'jupyter-mlops-models'
    });

    app.commands.addCommand(CommandIDs.openModel, {
      label: trans.__('Details of a Model…'),
      caption: trans.__('Versions, gates and trail of a model'),
      describedBy: takes({ model: 'string' }),
      execute: async args => {
        const name = (args.model as string | undefined) ?? (await pickModel(store, trans));
        if (name !== undefined) {
          const open = tracker.find(widget => widget.content.model === name);
          app.shell.activateById((open ?? make(name)).id);
        }
      }
    });

    function make(name: string): MainAreaWidget<ModelWidget> {
      const widget = new MainAreaWidget({ content: new ModelWidget(context, name) });
      widget.id = `jupyter-mlops-model-${name}`;
      widget.title.label = name;
      widget.title.caption = trans.__('Details of the model %1', name);
      widget.title.icon = mlopsIcon;
      widget.toolbar.hide();
      app.shell.add(widget, labShell ? 'main' : 'right', { type: MODELS });
      void tracker.add(widget);
      return widget;
    }

    void restorer?.restore(tracker, {
      command: CommandIDs.openModel,
      args: widget => ({ model: widget.content.model }),
      name: widget => widget.content.model
    });
  }
};
