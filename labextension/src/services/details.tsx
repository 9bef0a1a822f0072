import React, { useState } from 'react';

import { CommandIDs } from '../commands';
import { ProblemLine } from '../controls/problem';
import { useFetched, useLooks } from '../details/fetched';
import { Trail } from '../models/trail';
import { useMlops, useSelector } from '../state/hooks';
import { ServiceState } from '../state/schema';
import { versionName } from '../words/model';
import { serviceInfo } from '../words/service';
import { Address } from './address';
import { CallersTable } from './callers';
import { CandidateRow } from './candidate';
import { ServiceCharts } from './charts';
import { PerformanceTable } from './performance';
import { RetrainButton, RetrainingLine } from './retraining';
import { TryButton } from './try';
import { WatchTable } from './watch';

/** Milliseconds between two looks: as often as a service compares, and as it keeps what it was asked. */
const EVERY = 5000;
const EVERY_HISTORY = 30_000;

/** Seconds that charts can show. */
const SPANS = [3600, 86_400, 8 * 86_400];

/**
 * The details of a service: how much it is asked and how long that takes, how what it is asked has changed, how good it
 * is, who calls it, and what was done to it. It is looked at again and again.
 */
export function ServiceDetails({ name }: { name: string }): JSX.Element {
  const { trans } = useMlops();
  const service = useSelector(state => state.services.find(each => each.name === name));
  const loaded = useSelector(state => state.loaded);
  if (!service) {
    return (
      <p className="jp-mlops-hint">
        {loaded
          ? trans.__('There is no service named %1 any more.', name)
          : trans.__('Connecting…')}
      </p>
    );
  }
  return (
    <>
      <Summary service={service} />
      <div className="jp-mlops-scroll jp-mlops-model-details" tabIndex={0}>
        {service.candidate && <CandidateRow service={service} candidate={service.candidate} />}
        {service.problem && <ProblemLine problem={service.problem} />}
        {service.alarm && (
          <ProblemLine problem={service.alarm}>
            <RetrainButton service={service} />
          </ProblemLine>
        )}
        <RetrainingLine service={service} />
        <Told service={service} />
      </div>
    </>
  );
}

function Summary({ service }: { service: ServiceState }): JSX.Element {
  const { commands, trans } = useMlops();
  const { name, model, version, phase, address } = service;
  return (
    <div className="jp-mlops-summary" data-mlops="service-summary">
      <h2>{name}</h2>
      <button
        type="button"
        className="jp-mlops-link"
        title={trans.__('Versions, gates and trail of %1', model)}
        onClick={() => void commands.execute(CommandIDs.openModel, { model })}
        data-mlops="service-version"
      >
        {version > 0 ? versionName(model, version) : model}
      </button>
      <span>{serviceInfo(trans, service)}</span>
      {phase === 'ready' && <Address address={address} />}
      {phase === 'ready' && <TryButton service={name} />}
    </div>
  );
}

/** What is asked for again and again. */
function Told({ service }: { service: ServiceState }): JSX.Element {
  const { store, trans } = useMlops();
  const { name, model } = service;
  const [span, setSpan] = useState(SPANS[0]);
  const look = useLooks(EVERY);
  const key = `${name} ${look}`;
  const past = `${name} ${span} ${useLooks(EVERY_HISTORY)} ${service.wanted}`;
  const history = useFetched(past, () => store.api.serviceHistory(name, span));
  const watch = useFetched(key, () => store.api.watchService(name));
  const good = useFetched(key, () => store.api.servicePerformance(name));
  const callers = useFetched(key, () => store.api.serviceCallers(name));
  const problem = history.problem ?? watch.problem ?? good.problem ?? callers.problem;
  const words = [trans.__('last hour'), trans.__('last day'), trans.__('last 8 days')];
  return (
    <>
      {problem && <ProblemLine problem={problem} />}
      <div className="jp-mlops-over-time">
        <h3>{trans.__('Over time')}</h3>
        <select
          className="jp-mod-styled"
          value={span}
          aria-label={trans.__('How long')}
          onChange={event => setSpan(Number(event.target.value))}
          data-mlops="service-span"
        >
          {SPANS.map((seconds, index) => (
            <option key={seconds} value={seconds}>
              {words[index]}
            </option>
          ))}
        </select>
      </div>
      {history.value && (
        <ServiceCharts model={model} history={history.value} performance={good.value} />
      )}
      <div className="jp-mlops-watch" data-mlops="watch">
        <h3>{trans.__('What it is asked')}</h3>
        {watch.value && <WatchTable watch={watch.value} trans={trans} />}
        {good.value && good.value.words !== '' && <h3>{trans.__('How good it is')}</h3>}
        {good.value && (
          <PerformanceTable performance={good.value} now={store.now()} trans={trans} />
        )}
        <h3>{trans.__('Callers')}</h3>
        {callers.value && <CallersTable callers={callers.value} now={store.now()} trans={trans} />}
      </div>
      {history.value && history.value.deeds.length > 0 && (
        <>
          <h3>{trans.__('What was done')}</h3>
          <Trail entries={history.value.deeds} />
        </>
      )}
    </>
  );
}
