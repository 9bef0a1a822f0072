import React, { useEffect, useRef, useState } from 'react';

import { useFollow, useMlops, useSelector } from '../state/hooks';
import { ClusterState } from '../state/schema';
import { nameOf } from '../state/state';
import { ended, phase, placeBeside, wanted, workers } from '../words/cluster';
import { brief, briefRate, source } from '../words/money';
import { CostPart } from './cost';
import { EventsPart } from './events';
import { LogsPart } from './logs';
import { IPartProps, Part, PARTS, Shown } from './part';
import { TimelinePart } from './timeline';
import { WorkersPart } from './workers';

const VIEWS: Record<Part, (props: IPartProps) => JSX.Element> = {
  workers: WorkersPart,
  timeline: TimelinePart,
  events: EventsPart,
  logs: LogsPart,
  cost: CostPart
};

/** The details of a cluster: a line that sums it up, then its parts as tabs. */
export function Details({ cluster: name, shown }: { cluster: string; shown: Shown }): JSX.Element {
  const { trans } = useMlops();
  const cluster = useSelector(state => state.clusters.get(name));
  const loaded = useSelector(state => state.loaded);
  const connection = useSelector(state => state.connection.phase);
  const [part, setPart] = useState(shown.part);
  useFollow('cluster', name);
  useEffect(() => {
    const update = (): void => setPart(shown.part);
    shown.changed.connect(update);
    return () => void shown.changed.disconnect(update);
  }, [shown]);

  if (!cluster) {
    return (
      <p className="jp-mlops-hint">
        {loaded
          ? trans.__('There is no cluster named %1 any more.', nameOf(name))
          : trans.__('Connecting…')}
      </p>
    );
  }
  const View = VIEWS[part];
  return (
    <>
      <Summary cluster={cluster} stale={connection === 'gone'} />
      <Tabs cluster={name} part={part} onChange={part => shown.show(part)} />
      <div
        className="jp-mlops-part"
        role="tabpanel"
        id={`jp-mlops-part-${name}`}
        aria-label={labels(trans.__.bind(trans))[part]}
        data-mlops={`part-${part}`}
      >
        <View cluster={cluster} shown={shown} />
      </div>
    </>
  );
}

function Summary({ cluster, stale }: { cluster: ClusterState; stale: boolean }): JSX.Element {
  const { trans } = useMlops();
  const places = useSelector(state => state.places);
  const { cost } = cluster;
  const state =
    cluster.phase === 'ended'
      ? ended(trans, cluster.cause)
      : `${phase(trans, cluster.phase)}, ${workers(trans, cluster.counts, wanted(cluster))}`;
  return (
    <div className="jp-mlops-summary" data-mlops="summary">
      <h2>
        <span className="jp-mlops-dot" data-phase={cluster.phase} aria-hidden="true" />
        {cluster.name}
      </h2>
      <span>{placeBeside(places, cluster)}</span>
      <span>{stale ? trans.__('last known: %1', state) : state}</span>
      <span className="jp-mlops-money" title={source(trans, cost)}>
        {cost.amount === null ? trans.__('cost unknown') : brief(trans, cost)}
        {cluster.phase !== 'ended' && cost.per_hour !== null && (
          <span className="jp-mlops-rate">{briefRate(trans, cost)}</span>
        )}
      </span>
    </div>
  );
}

function labels(__: (text: string) => string): Record<Part, string> {
  return {
    workers: __('Workers'),
    timeline: __('Timeline'),
    events: __('Events'),
    logs: __('Logs'),
    cost: __('Cost')
  };
}

/** One tab stop, arrows between the tabs. */
function Tabs(props: { cluster: string; part: Part; onChange: (part: Part) => void }): JSX.Element {
  const { trans } = useMlops();
  const list = useRef<HTMLDivElement>(null);
  const words = labels(trans.__.bind(trans));
  const step = (by: number): void => {
    const index = (PARTS.indexOf(props.part) + by + PARTS.length) % PARTS.length;
    props.onChange(PARTS[index]);
    (list.current!.children[index] as HTMLElement).focus();
  };
  return (
    <div ref={list} className="jp-mlops-tabs" role="tablist">
      {PARTS.map(part => (
        <button
          key={part}
          type="button"
          role="tab"
          aria-selected={part === props.part}
          aria-controls={`jp-mlops-part-${props.cluster}`}
          tabIndex={part === props.part ? 0 : -1}
          data-mlops={`tab-${part}`}
          onClick={() => props.onChange(part)}
          onKeyDown={event => {
            const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
            if (by) {
              step(by);
            }
          }}
        >
          {words[part]}
        </button>
      ))}
    </div>
  );
}
