import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';
import { Token } from '@lumino/coreutils';

import { Api } from '../api';
import { addClusterCommands } from '../cluster/commands';
import { addModelCommands } from '../models/commands';
import { addMoneyCommands } from '../money/commands';
import { addProfileCommands } from '../profile/commands';
import { MlopsError } from '../request';
import { addRunCommands } from '../run/commands';
import { addServiceCommands } from '../services/commands';
import { SettingsSync } from '../settings/sync';
import { Problem } from '../state/schema';
import { Store } from '../state/store';
import { SocketStream } from '../state/stream';
import { IMlops } from '../tokens';

/** The name of the translations. */
export const DOMAIN = 'jupyter_mlops';

/** The plugin whose settings are all of the extension's. */
export const SETTINGS = 'jupyter-mlops:plugin';

/** The token of the store, for the plugins of this extension; other extensions have `IMlops`. */
export const IStore = new Token<Store>('jupyter-mlops:IStore', 'The state of the sidebar.');

/** The state for other extensions. */
export const mlops: JupyterFrontEndPlugin<IMlops> = {
  id: 'jupyter-mlops:mlops',
  description: 'Clusters, runs and their cost, live, for other extensions.',
  autoStart: true,
  requires: [IStore],
  provides: IMlops,
  activate: (_: JupyterFrontEnd, store: Store): IMlops => store
};

/** The state, the commands on it, and the settings. */
export const core: JupyterFrontEndPlugin<Store> = {
  id: SETTINGS,
  description: 'Clusters, runs and their cost: the state, live, and the commands on it.',
  autoStart: true,
  provides: IStore,
  optional: [ITranslator, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    registry: ISettingRegistry | null
  ): Store => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const { serverSettings } = app.serviceManager;
    const api = new Api(serverSettings);
    const stream = new SocketStream(serverSettings, () => diagnose(api, trans));
    const store = new Store(stream, api);
    addClusterCommands(app.commands, store, trans);
    addRunCommands(app.commands, store, trans);
    addModelCommands(app.commands, store, trans, app.serviceManager.contents);
    addMoneyCommands(app.commands, store, trans);
    addServiceCommands(app.commands, store, trans);
    addProfileCommands(app.commands, store, trans);
    store.start();
    registry?.load(SETTINGS).then(
      settings => new SettingsSync(settings, store),
      error => console.error('The settings of ML Ops could not be read', error)
    );
    return store;
  }
};

/** Why there is no stream: a server without our part answers other requests, but not ours. */
async function diagnose(api: Api, trans: TranslationBundle): Promise<Problem | null> {
  try {
    await api.settings();
    return null;
  } catch (error) {
    if (!navigator.onLine) {
      return {
        what: trans.__('This computer is offline'),
        why: '',
        todo: trans.__('Clusters and detached runs go on. This page is back by itself.')
      };
    }
    if (!(error instanceof MlopsError) || error.name === 'ServerGone') {
      return null;
    }
    if (error.name === 'NoExtension') {
      return {
        what: trans.__('The server’s part of ML Ops is not enabled'),
        why: trans.__('This Jupyter server doesn’t know the addresses below jupyter-mlops/'),
        todo: trans.__(
          'Run “jupyter server extension enable jupyter_mlops” and restart the server.'
        )
      };
    }
    return { what: error.what, why: error.why, todo: error.todo };
  }
}
