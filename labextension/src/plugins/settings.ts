import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { DOMAIN } from './core';

/** The way to the settings. */
export const settings: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:settings',
  description: 'Opens the settings of ML Ops.',
  autoStart: true,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null): void => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    app.commands.addCommand(CommandIDs.openSettings, {
      label: trans.__('Prices and Settings…'),
      caption: trans.__('Price per CPU-hour and GB-hour, default profile, tracking'),
      execute: async () => {
        const editor = 'settingeditor:open';
        if (app.commands.hasCommand(editor)) {
          await app.commands.execute(editor, { query: 'ML Ops' });
        } else {
          Notification.info(
            trans.__(
              'Prices are set in JupyterLab (View → Open JupyterLab, then Settings → Settings Editor → ML Ops), or with “jupyter mlops prices” in a terminal.'
            ),
            { autoClose: false }
          );
        }
      }
    });
  }
};
