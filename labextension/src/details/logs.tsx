import { refreshIcon } from '@jupyterlab/ui-components';
import React, { useEffect, useMemo, useState } from 'react';

import { Button } from '../controls/button';
import { Log } from '../controls/log';
import { ProblemLine } from '../controls/problem';
import { useMlops, useSelector } from '../state/hooks';
import { WorkerState } from '../state/schema';
import { workerPhase } from '../words/cluster';
import { useEvents } from './events';
import { useFetched } from './fetched';
import { IPartProps } from './part';

const LINES = 1000;
/** Seconds between two looks at a log that is written. */
const PERIOD = 3;

/** The log of the scheduler or of a worker, dead or alive. */
export function LogsPart(props: IPartProps): JSX.Element {
  const { cluster, shown } = props;
  const { store, trans } = useMlops();
  const [worker, setWorker] = useState(shown.worker);
  const [look, setLook] = useState(0);
  const workers = useSelector(state => state.workers.get(cluster.id));
  const gone = useGone(props, workers);
  const live = cluster.phase !== 'ended';

  useEffect(() => {
    const update = (): void => setWorker(shown.worker);
    shown.changed.connect(update);
    return () => void shown.changed.disconnect(update);
  }, [shown]);
  useEffect(() => {
    if (!live) {
      return;
    }
    const timer = window.setInterval(() => {
      if (!document.hidden) {
        setLook(look => look + 1);
      }
    }, PERIOD * 1000);
    return () => window.clearInterval(timer);
  }, [live]);
  const { value, problem } = useFetched(`${cluster.id} ${worker} ${look}`, async () => ({
    worker,
    lines: await store.api.logs(cluster.id, worker, LINES)
  }));
  const lines = value?.worker === worker ? value.lines : null;

  return (
    <div className="jp-mlops-logs">
      <div className="jp-mlops-logs-bar">
        <label>
          {trans.__('Log of')}{' '}
          <select
            value={worker ?? ''}
            onChange={event => shown.show('logs', event.target.value || null)}
            data-mlops="log-of"
          >
            <option value="">{trans.__('the scheduler')}</option>
            <optgroup label={trans.__('Workers')}>
              {[...(workers?.values() ?? [])].map(({ name, phase }) => (
                <option key={name} value={name}>
                  {name} – {workerPhase(trans, phase)}
                </option>
              ))}
            </optgroup>
            {gone.length > 0 && (
              <optgroup label={trans.__('Gone')}>
                {gone.map(name => (
                  <option key={name} value={name}>
                    {name}
                  </option>
                ))}
              </optgroup>
            )}
          </select>
        </label>
        <Button
          icon={refreshIcon}
          label={trans.__('Look again')}
          onClick={() => setLook(look + 1)}
          handle="log-refresh"
        />
      </div>
      {problem && <ProblemLine problem={problem} />}
      {lines && (
        <Log label={trans.__('Log')} className="jp-mlops-log" handle="log" seen={lines}>
          {lines.length
            ? lines.map(line => line.replace(/\n$/, '')).join('\n')
            : trans.__('Empty.')}
        </Log>
      )}
    </div>
  );
}

/** Workers that the events tell of and that are no more. */
function useGone(
  props: IPartProps,
  workers: ReadonlyMap<string, WorkerState> | undefined
): string[] {
  const events = useEvents(props);
  return useMemo(() => {
    const names = new Set(events.flatMap(event => (event.worker ? [event.worker] : [])));
    return [...names].filter(name => !workers?.has(name)).reverse();
  }, [events, workers]);
}
