import { Dialog, showDialog } from '@jupyterlab/apputils';
import React from 'react';

import { report } from '../ask';
import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { useMlops, useSelector } from '../state/hooks';
import { ServiceState } from '../state/schema';
import { versionName } from '../words/model';

interface IRetrainingProps {
  service: ServiceState;
}

/** Has the notebook run that a service's model comes from, after asking; nothing while that goes on. */
export function RetrainButton({ service }: IRetrainingProps): JSX.Element | null {
  const { store, trans } = useMlops();
  const { name, retraining } = service;
  if (retraining?.phase === 'running') {
    return null;
  }
  const retrain = async (): Promise<void> => {
    const { button } = await showDialog({
      title: trans.__('Retrain %1?', name),
      body: trans.__(
        'The notebook that its model comes from runs in the background. The version that it saves is judged by the gates, and tried beside the one that serves.'
      ),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.okButton({ label: trans.__('Retrain') })
      ]
    });
    if (button.accept) {
      await store.api.retrainService(name);
    }
  };
  return (
    <Button
      label={trans.__('Retrain %1…', name)}
      popup="dialog"
      onClick={() => report(retrain())}
      handle="service-retrain"
    >
      {trans.__('retrain…')}
    </Button>
  );
}

/** How a service's last retraining goes, or what came of it; nothing where there is nothing to say. */
export function RetrainingLine({ service }: IRetrainingProps): JSX.Element | null {
  const { commands, trans } = useMlops();
  const { model, version, retraining } = service;
  const champion = useSelector(state => state.models.find(each => each.name === model)?.champion);
  if (!retraining) {
    return null;
  }
  const { words, log, phase } = retraining;
  const serves = retraining.version > 0 && retraining.version === version;
  return (
    <div className="jp-mlops-service-row">
      <p
        className="jp-mlops-retraining"
        role="status"
        title={log && trans.__('What it printed: %1', log)}
        data-mlops="service-retraining"
        data-phase={phase}
      >
        {words}
      </p>
      {serves && champion !== version && (
        <span className="jp-mlops-service-buttons">
          <Button
            label={trans.__('Make %1 the champion', versionName(model, version))}
            popup="dialog"
            onClick={() => commands.execute(CommandIDs.promoteModel, { model, version })}
            handle="promote"
          >
            {trans.__('promote…')}
          </Button>
        </span>
      )}
    </div>
  );
}
