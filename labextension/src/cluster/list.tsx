import { closeIcon } from '@jupyterlab/ui-components';
import React, { memo, useMemo, useState } from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { useMlops, useSelector } from '../state/hooks';
import { ClusterState } from '../state/schema';
import { isLive, IStart, newest } from '../state/state';
import { ended, phase } from '../words/cluster';
import { brief, source } from '../words/money';
import { Card } from './card';
import { SilentLine } from './silent';
import { StartButton } from './start';

/** The clusters: live ones as cards, ended ones folded away. */
export function Clusters(): JSX.Element {
  const { trans } = useMlops();
  const clusters = useSelector(state => state.clusters);
  const starts = useSelector(state => state.starts);
  const loaded = useSelector(state => state.loaded);
  const silent = useSelector(state => state.silent);
  const [live, over] = useMemo(() => {
    const all = newest(clusters.values(), cluster => cluster.name);
    return [all.filter(isLive), all.filter(cluster => !isLive(cluster))];
  }, [clusters]);
  const empty = live.length + starts.length === 0;
  return (
    <section aria-labelledby="jp-mlops-clusters" data-mlops="clusters">
      <h3 id="jp-mlops-clusters">{trans.__('Clusters')}</h3>
      {silent.map(place => (
        <SilentLine key={place.place} place={place} />
      ))}
      {loaded && empty && silent.length === 0 && <Empty first={over.length === 0} />}
      <ul className="jp-mlops-cards">
        {starts.map(start => (
          <StartCard key={start.id} start={start} />
        ))}
        {live.map(cluster => (
          <Card key={cluster.name} cluster={cluster} />
        ))}
      </ul>
      {over.length > 0 && <Ended clusters={over} />}
    </section>
  );
}

/** What stands here before the first cluster, and when none is left. */
function Empty({ first }: { first: boolean }): JSX.Element {
  const { trans } = useMlops();
  return (
    <div className="jp-mlops-empty" data-mlops="empty">
      <p>
        {first
          ? trans.__(
              'No cluster yet: start one to run cells on more than this kernel. It goes on without this tab, and stops by itself when nobody uses it.'
            )
          : trans.__('No cluster is running.')}
      </p>
      <StartButton wide />
    </div>
  );
}

/** A cluster that was asked for a moment ago. */
function StartCard({ start }: { start: IStart }): JSX.Element {
  const { store, trans } = useMlops();
  return (
    <li
      className="jp-mlops-card"
      aria-label={trans.__('Cluster %1, %2', start.name ?? start.title, trans.__('starting'))}
      data-mlops="cluster"
      data-name={start.name ?? ''}
      data-phase={start.problem ? 'failed' : 'starting'}
    >
      <div className="jp-mlops-heading">
        <span
          className="jp-mlops-dot"
          data-phase={start.problem ? 'ended' : 'starting'}
          aria-hidden="true"
        />
        <span className="jp-mlops-name">{start.name ?? start.title}</span>
      </div>
      {start.problem ? (
        <ProblemLine problem={start.problem} onDismiss={() => store.dismissStart(start.id)} />
      ) : (
        <div className="jp-mlops-words">
          <strong>{phase(trans, 'starting')}</strong>
        </div>
      )}
    </li>
  );
}

const Ended = memo(function Ended({ clusters }: { clusters: ClusterState[] }): JSX.Element {
  const { trans } = useMlops();
  const [open, setOpen] = useState(false);
  return (
    <details
      className="jp-mlops-ended"
      open={open}
      onToggle={event => setOpen(event.currentTarget.open)}
      data-mlops="ended"
    >
      <summary>{trans.__('Ended (%1)', clusters.length)}</summary>
      {open && (
        <ul>
          {clusters.map(cluster => (
            <EndedRow key={cluster.name} cluster={cluster} />
          ))}
        </ul>
      )}
    </details>
  );
});

function EndedRow({ cluster }: { cluster: ClusterState }): JSX.Element {
  const { commands, trans } = useMlops();
  const args = { cluster: cluster.name };
  const why = [cluster.problem?.what, cluster.problem?.why].filter(Boolean).join('\n');
  return (
    <li className="jp-mlops-row" data-mlops="ended-cluster" data-name={cluster.name}>
      <button
        type="button"
        className="jp-mlops-name"
        title={trans.__('Receipt of %1', cluster.name)}
        onClick={() => void commands.execute(CommandIDs.openDetails, { ...args, part: 'cost' })}
        data-mlops="receipt"
      >
        {cluster.name}
      </button>
      <span className="jp-mlops-info" title={why || undefined} data-mlops="cause">
        {ended(trans, cluster.cause)}
        {cluster.problem && `: ${cluster.problem.what}`}
      </span>
      <span className="jp-mlops-money" title={source(trans, cluster.cost)}>
        {brief(trans, cluster.cost)}
      </span>
      <Button
        icon={closeIcon}
        label={trans.__('Remove %1 from the list', cluster.name)}
        onClick={() => commands.execute(CommandIDs.forgetCluster, args)}
        handle="forget"
      />
    </li>
  );
}
