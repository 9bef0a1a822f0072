import {
  ILabShell,
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, takes } from '../commands';
import { pickModel } from '../models/commands';
import { ModelWidget } from '../models/widget';
import { Store } from '../state/store';
import { DOMAIN, IStore } from './core';
import { Tabs } from './tabs';

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
    const tabs = new Tabs<ModelWidget>(app, labShell, restorer, {
      namespace: 'jupyter-mlops-model',
      type: 'ML Ops Models',
      command: CommandIDs.openModel,
      args: content => ({ model: content.model }),
      name: content => content.model
    });

    app.commands.addCommand(CommandIDs.openModel, {
      label: trans.__('Details of a Model…'),
      caption: trans.__('Versions, gates and trail of a model'),
      describedBy: takes({ model: 'string' }),
      execute: async args => {
        const name = (args.model as string | undefined) ?? (await pickModel(store, trans));
        if (name !== undefined) {
          tabs.show(name, () => ({
            content: new ModelWidget(context, name),
            label: name,
            caption: trans.__('Details of the model %1', name)
          }));
        }
      }
    });
  }
};
