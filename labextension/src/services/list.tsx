import { Dialog, showDialog } from '@jupyterlab/apputils';
import { stopIcon } from '@jupyterlab/ui-components';
import React, { memo, useMemo } from 'react';

import { report } from '../ask';
import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { Section } from '../sidebar/section';
import { useMlops, useSelector } from '../state/hooks';
import { ServiceState } from '../state/schema';
import { canRollBack, isTried, rollBackLabel } from '../words/candidate';
import { matchesService } from '../words/match';
import { servedVersion, serviceInfo } from '../words/service';
import { Address } from './address';
import { CandidateRow } from './candidate';
import { Missed } from './missed';
import { RetrainButton, RetrainingLine } from './retraining';
import { TryButton } from './try';

/** The services by name; those only that are `wanted`, where that isn't empty. Without any, nothing is shown. */
export function ServiceSection({ wanted }: { wanted: string }): JSX.Element | null {
  const { trans } = useMlops();
  const all = useSelector(state => state.services);
  const shown = useMemo(
    () => all.filter(service => !wanted || matchesService(service, wanted)),
    [all, wanted]
  );
  if (all.length === 0) {
    return null;
  }
  return (
    <Section name="services" title={trans.__('Services')} count={all.length} shown={shown.length}>
      {shown.length === 0 && (
        <p className="jp-mlops-hint">{trans.__('No service has “%1”.', wanted)}</p>
      )}
      <ul className="jp-mlops-services">
        {shown.map(service => (
          <Row key={service.name} service={service} />
        ))}
      </ul>
    </Section>
  );
}

/** A service: what answers there, how much is asked of it, and what one can do with it. */
const Row = memo(function Row({ service }: { service: ServiceState }): JSX.Element {
  const { commands, store, trans } = useMlops();
  const { name, model, address, phase } = service;
  const info = serviceInfo(trans, service);
  const isReady = phase === 'ready';
  const stop = async (): Promise<void> => {
    const { button } = await showDialog({
      title: trans.__('Stop %1?', name),
      body: (
        <div>
          <p>
            {trans.__(
              'Nobody is answered at its address any more. Deployed again, it has this address and its callers.'
            )}
          </p>
          <Missed api={store.api} service={name} />
        </div>
      ),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.warnButton({ label: trans.__('Stop') })
      ]
    });
    if (button.accept) {
      await store.api.stopService(name);
    }
  };
  return (
    <li className="jp-mlops-model" data-mlops="service" data-name={name} data-phase={phase}>
      <div className="jp-mlops-model-row">
        <button
          type="button"
          className="jp-mlops-name"
          title={trans.__('What %1 is asked, how long it takes, and how good it is', name)}
          onClick={() => void commands.execute(CommandIDs.openService, { service: name })}
          data-mlops="service-open"
        >
          <span>{name}</span>
          <span className="jp-mlops-version">
            {model === name ? '' : ` ${model}`}
            {servedVersion(service)}
          </span>
        </button>
        <span className="jp-mlops-info" title={info} data-mlops="service-info">
          {info}
        </span>
      </div>
      <div className="jp-mlops-service-row">
        {isReady && <Address address={address} />}
        <span className="jp-mlops-service-buttons">
          {isReady && <TryButton service={name} />}
          {canRollBack(service) && !isTried(service.candidate) && (
            <Button
              label={rollBackLabel(trans, service)}
              popup="dialog"
              onClick={() => commands.execute(CommandIDs.rollBackService, { service: name })}
              handle="service-roll-back"
            >
              {trans.__('roll back…')}
            </Button>
          )}
          <Button
            icon={stopIcon}
            label={trans.__('Stop the service %1…', name)}
            popup="dialog"
            onClick={() => report(stop())}
            handle="service-stop"
          />
        </span>
      </div>
      {service.candidate && <CandidateRow service={service} candidate={service.candidate} />}
      {service.problem && <ProblemLine problem={service.problem} />}
      {service.alarm && (
        <ProblemLine problem={service.alarm}>
          <RetrainButton service={service} />
        </ProblemLine>
      )}
      {service.unkept && <ProblemLine problem={service.unkept} />}
      <RetrainingLine service={service} />
      {service.hint && (
        <p className="jp-mlops-hint" role="status" data-mlops="service-hint">
          {service.hint}
        </p>
      )}
    </li>
  );
});
