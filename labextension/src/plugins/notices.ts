import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { INotice, noticesOf } from '../notice/notices';
import { IState } from '../state/state';
import { IMlops } from '../tokens';
import { DOMAIN, SETTINGS } from './core';

/** Milliseconds that good news stay. Bad news stay until they are put away. */
const STAY = 8000;

/** Says what ended while the user was looking elsewhere. */
export const notices: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:notices',
  description:
    'Notifications of runs that are over, of clusters that stopped, and of versions that were tried.',
  autoStart: true,
  requires: [IMlops],
  optional: [ITranslator, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    store: IMlops,
    translator: ITranslator | null,
    registry: ISettingRegistry | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    let isOn = true;
    void registry?.load(SETTINGS).then(settings => {
      const read = (): void => {
        isOn = settings.composite.notify !== false;
      };
      settings.changed.connect(read);
      read();
    });

    const actionOf = ({ run, cluster, service }: INotice): Notification.IAction[] => {
      if (run?.origin.notebook && app.commands.hasCommand(CommandIDs.revealRun)) {
        const callback = (): void =>
          void app.commands.execute(CommandIDs.revealRun, { run: run.id });
        return [{ label: trans.__('Go to the cell'), callback }];
      }
      if (cluster) {
        const args = { cluster: cluster.id, part: 'events' };
        const callback = (): void => void app.commands.execute(CommandIDs.openDetails, args);
        return [{ label: trans.__('Why'), callback }];
      }
      if (service?.candidate) {
        const args = { service: service.name };
        const callback = (): void => void app.commands.execute(CommandIDs.compareService, args);
        return [{ label: trans.__('Compare'), callback }];
      }
      return [];
    };
    store.changed.connect((_, before: IState) => {
      for (const notice of isOn ? noticesOf(trans, before, store.state) : []) {
        const isBad = notice.kind === 'error' || notice.kind === 'warning';
        Notification.emit(notice.text, notice.kind, {
          autoClose: isBad ? false : STAY,
          actions: actionOf(notice)
        });
      }
    });
  }
};
