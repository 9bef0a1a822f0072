import React, { useState } from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { DialogForm } from '../controls/dialog-form';
import { useMlops, useSelector } from '../state/hooks';
import { ServiceState } from '../state/schema';
import { isTried } from '../words/candidate';
import { versionName } from '../words/model';
import { Why } from './why';

interface IRetrainingProps {
  service: ServiceState;
}

/** Has the notebook run that a service's model comes from, after asking; nothing while that goes on, or what came of it
 * is tried. */
export function RetrainButton({ service }: IRetrainingProps): JSX.Element | null {
  const { commands, trans } = useMlops();
  const { name, retraining, candidate } = service;
  if (retraining?.phase === 'running' || isTried(candidate)) {
    return null;
  }
  return (
    <Button
      label={trans.__('Retrain %1…', name)}
      popup="dialog"
      onClick={() => commands.execute(CommandIDs.retrainService, { service: name })}
      handle="service-retrain"
    >
      {trans.__('retrain…')}
    </Button>
  );
}

/** Asks whether the notebook is to run that a service's model comes from. */
export function RetrainForm(props: { service: string; onClose: () => void }): JSX.Element {
  const { service, onClose } = props;
  const { store, trans } = useMlops();
  const [why, setWhy] = useState('');
  const send = async (): Promise<void> => {
    await store.api.retrainService(service, why.trim());
    onClose();
  };
  return (
    <DialogForm
      handle="retrain-dialog"
      send={send}
      isMissing={false}
      button={{ label: trans.__('Retrain'), handle: 'retrain-now' }}
      close={{ label: trans.__('Cancel'), do: onClose }}
    >
      <p>
        {trans.__(
          'The notebook that its model comes from runs in the background. The version that it saves is judged by the gates, and tried beside the one that serves.'
        )}
      </p>
      <Why value={why} onChange={setWhy} handle="retrain-why" />
    </DialogForm>
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
