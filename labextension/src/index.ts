import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Api } from './api';
import { Store } from './model/store';
import { SocketStream } from './model/stream';
import { Sidebar } from './sidebar/widget';
import { IMlops } from './tokens';

const plugin: JupyterFrontEndPlugin<IMlops> = {
  id: 'jupyter-mlops:plugin',
  description: 'Clusters, runs and their cost in the sidebar.',
  autoStart: true,
  provides: IMlops,
  optional: [ITranslator, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null
  ): IMlops => {
    const settings = app.serviceManager.serverSettings;
    const api = new Api(settings);
    const store = new Store(new SocketStream(settings, async () => null), api);
    const trans = (translator ?? nullTranslator).load('jupyter_mlops');
    const sidebar = new Sidebar({ store, commands: app.commands, trans });
    app.shell.add(sidebar, 'left', { rank: 350, type: 'ML Ops' });
    restorer?.add(sidebar, sidebar.id);
    store.start();
    return store;
  }
};

export default [plugin];
