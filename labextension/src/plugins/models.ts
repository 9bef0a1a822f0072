import { CommandIDs, takes } from '../commands';
import { pickModel } from '../models/commands';
import { ModelWidget } from '../models/widget';
import { tabsPlugin } from './tabs';

/** The details of models, as tabs of the main area. */
export const models = tabsPlugin<ModelWidget>(
  'jupyter-mlops:models',
  'Details of models, as tabs.',
  {
    namespace: 'jupyter-mlops-model',
    type: 'ML Ops Models',
    command: CommandIDs.openModel,
    args: content => ({ model: content.model }),
    name: content => content.model
  },
  (context, tabs) => {
    const { store, commands, trans } = context;
    commands.addCommand(CommandIDs.openModel, {
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
);
