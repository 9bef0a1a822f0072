import { CommandIDs, takes } from '../commands';
import { pickService } from '../services/commands';
import { ServiceWidget } from '../services/widget';
import { tabsPlugin } from './tabs';

/** The details of services, as tabs of the main area. */
export const services = tabsPlugin<ServiceWidget>(
  'jupyter-mlops:services',
  'Details of services, as tabs.',
  {
    namespace: 'jupyter-mlops-service',
    type: 'ML Ops Services',
    command: CommandIDs.openService,
    args: content => ({ service: content.service }),
    name: content => content.service
  },
  (context, tabs) => {
    const { store, commands, trans } = context;
    commands.addCommand(CommandIDs.openService, {
      label: trans.__('Details of a Service…'),
      caption: trans.__(
        'How much a service is asked, how what it is asked has changed, and how good it is'
      ),
      describedBy: takes({ service: 'string' }),
      execute: async args => {
        const name =
          (args.service as string | undefined) ??
          (await pickService(store, trans, () => true, trans.__('No service yet')));
        if (name !== undefined) {
          tabs.show(name, () => ({
            content: new ServiceWidget(context, name),
            label: trans.__('%1 service', name),
            caption: trans.__('Details of the service %1', name)
          }));
        }
      }
    });
  }
);
