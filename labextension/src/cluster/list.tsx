import { closeIcon } from '@jupyterlab/ui-components';
import React, { memo, useCallback, useMemo, useState } from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { Order } from '../sidebar/order';
import { Section } from '../sidebar/section';
import { useMlops, useNow, useSelector } from '../state/hooks';
import { useKept } from '../state/kept';
import { CLUSTER_ORDERS, orderClusters } from '../state/order';
import { ClusterState } from '../state/schema';
import { isLive, isQuiet, IStart, nameOf } from '../state/state';
import { ended, phase } from '../words/cluster';
import { matchesCluster } from '../words/match';
import { brief, source } from '../words/money';
import { Card } from './card';
import { SilentLine } from './silent';
import { StartButton } from './start';

/** Live clusters up to which each has a whole card, whatever it does; above, the quiet ones are a line each. */
const FEW = 2;

/** The clusters: live ones as cards, ended ones folded away; those only that are `wanted`, where that isn't empty. */
export function Clusters({ wanted }: { wanted: string }): JSX.Element {
  const { trans } = useMlops();
  const clusters = useSelector(state => state.clusters);
  const places = useSelector(state => state.places);
  const starts = useSelector(state => state.starts);
  const loaded = useSelector(state => state.loaded);
  const silent = useSelector(state => state.silent);
  const [order, setOrder] = useKept('order-clusters', CLUSTER_ORDERS);
  const all = useMemo(() => orderClusters(clusters.values(), order), [clusters, order]);
  const found = wanted
    ? all.filter(cluster => matchesCluster(trans, places, cluster, wanted))
    : all;
  const live = found.filter(isLive);
  const over = found.filter(cluster => !isLive(cluster));
  const count = all.filter(isLive).length;
  const empty = count + starts.length === 0;
  return (
    <Section
      name="clusters"
      title={trans.__('Clusters')}
      count={count}
      shown={live.length}
      tools={
        count > FEW && (
          <Order
            label={trans.__('Order of the clusters')}
            value={order}
            choices={CLUSTER_ORDERS}
            onChange={setOrder}
            handle="order-clusters"
          />
        )
      }
    >
      {silent.map(place => (
        <SilentLine key={place.place} place={place} />
      ))}
      {loaded && empty && silent.length === 0 && <Empty first={clusters.size === 0} />}
      {wanted && !empty && live.length === 0 && (
        <p className="jp-mlops-hint">{trans.__('No live cluster has “%1”.', wanted)}</p>
      )}
      <ul className="jp-mlops-cards">
        {starts.map(start => (
          <StartCard key={start.id} start={start} />
        ))}
        <Cards clusters={live} folds={count > FEW} />
      </ul>
      {over.length > 0 && <Ended clusters={over} />}
    </Section>
  );
}

/** The cards; where there are many, `folds`: those with nothing to tell are a line until somebody opens them. */
function Cards({ clusters, folds }: { clusters: ClusterState[]; folds: boolean }): JSX.Element {
  const now = useNow(10, folds);
  const [chosen, setChosen] = useState<Readonly<Record<string, boolean>>>({});
  const onFold = useCallback(
    (id: string, folded: boolean) => setChosen(chosen => ({ ...chosen, [id]: folded })),
    []
  );
  return (
    <>
      {clusters.map(cluster => (
        <Card
          key={cluster.id}
          cluster={cluster}
          folded={folds ? (chosen[cluster.id] ?? isQuiet(cluster, now)) : null}
          onFold={onFold}
        />
      ))}
    </>
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
  const name = start.cluster && nameOf(start.cluster);
  return (
    <li
      className="jp-mlops-card"
      aria-label={trans.__('Cluster %1, %2', name ?? start.title, trans.__('starting'))}
      data-mlops="cluster"
      data-name={name ?? ''}
      data-phase={start.problem ? 'failed' : 'starting'}
    >
      <div className="jp-mlops-heading">
        <span
          className="jp-mlops-dot"
          data-phase={start.problem ? 'ended' : 'starting'}
          aria-hidden="true"
        />
        <span className="jp-mlops-name">{name ?? start.title}</span>
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
            <EndedRow key={cluster.id} cluster={cluster} />
          ))}
        </ul>
      )}
    </details>
  );
});

function EndedRow({ cluster }: { cluster: ClusterState }): JSX.Element {
  const { commands, trans } = useMlops();
  const args = { cluster: cluster.id };
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
