import { caretDownIcon, caretRightIcon, ellipsesIcon, stopIcon } from '@jupyterlab/ui-components';
import React, { memo, useState } from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { openMenu } from '../controls/menu';
import { ProblemLine } from '../controls/problem';
import { clientCode } from '../notebook/code';
import { useMlops, useSelector, useNow } from '../state/hooks';
import { useFailure } from '../state/operations';
import { ClusterState, Cost, Problem, Reference } from '../state/schema';
import { isUnreadable, problemsOf, spelled } from '../state/state';
import { phase, placeBeside, present, wanted, willStop, workers } from '../words/cluster';
import { brief, briefRate, reference, source } from '../words/money';
import { spotBreak } from '../words/spot';
import { AccountPart } from './account';
import { Bar } from './bar';
import { BudgetPart } from './budget';
import { Chart } from './chart';
import { byWhom, isOurs, may, pathOf, stopLabel, whose } from './others';
import { PricePart } from './price';
import { Scale } from './scale';
import { WastePart } from './waste';

interface ICardProps {
  cluster: ClusterState;
  /** Whether it is a line only; null where it can't be folded. What is wrong opens it. */
  folded: boolean | null;
  onFold: (cluster: string, folded: boolean) => void;
}

/** A live cluster: what it is, how it is, what it costs, and what can be done with it. */
export const Card = memo(function Card({ cluster, folded, onFold }: ICardProps): JSX.Element {
  const { trans } = useMlops();
  const [problem, setProblem] = useState<Problem | null>(null);
  const failed = useFailure(cluster.id);
  const moving = cluster.phase === 'starting' || cluster.phase === 'stopping';
  const stopping = cluster.phase === 'stopping';
  const silent = useSelector(state => state.silent);
  const known = !isUnreadable(cluster);
  // What its place says of itself stands above all cards, once.
  const own = problemsOf(cluster).filter(({ what }) =>
    silent.every(({ place, problem }) => place !== cluster.place || problem.what !== what)
  );
  const isLine = folded === true && own.length === 0 && !failed && !problem;
  const fold = folded !== null && (
    <Button
      icon={isLine ? caretRightIcon : caretDownIcon}
      label={isLine ? trans.__('Show all of %1', cluster.name) : trans.__('Fold %1', cluster.name)}
      expanded={!isLine}
      onClick={() => onFold(cluster.id, !isLine)}
      handle="fold"
    />
  );
  const attributes = {
    'aria-label': trans.__('Cluster %1, %2', cluster.name, phase(trans, cluster.phase)),
    'data-mlops': 'cluster',
    'data-name': cluster.name,
    'data-phase': cluster.phase
  };
  if (isLine) {
    return (
      <li className="jp-mlops-card jp-mod-line" {...attributes}>
        <Heading cluster={cluster} known={known} fold={fold} isLine />
      </li>
    );
  }
  return (
    <li className="jp-mlops-card" {...attributes}>
      <Heading cluster={cluster} known={known} fold={fold} />
      {known && (
        <>
          <Bar counts={cluster.counts} wanted={wanted(cluster)} />
          <div className="jp-mlops-words" data-mlops="workers">
            {cluster.phase !== 'running' && <strong>{phase(trans, cluster.phase)}: </strong>}
            {workers(trans, cluster.counts, wanted(cluster))}
          </div>
          <SpotBreaks cluster={cluster} />
        </>
      )}
      {known && cluster.reference && <CloudPrice value={cluster.reference} />}
      {known && cluster.reference && cluster.mine && <PricePart cluster={cluster} />}
      {known && <BudgetPart cluster={cluster} onProblem={setProblem} />}
      {known && <AccountPart cluster={cluster} />}
      {known && <WastePart cluster={cluster} onProblem={setProblem} />}
      {own.map(problem => (
        <ProblemLine key={problem.what} problem={problem} />
      ))}
      {failed && <ProblemLine problem={failed.problem} onDismiss={failed.dismiss} />}
      {problem && <ProblemLine problem={problem} onDismiss={() => setProblem(null)} />}
      {!moving && hasWorked(cluster) && (
        <Chart
          timeline={cluster.timeline}
          cpu={cluster.cpu}
          cpus={cluster.cpus}
          workers={present(cluster.counts)}
        />
      )}
      {!moving && known && <WillStop cluster={cluster} />}
      <div className="jp-mlops-controls">
        <div className="jp-mlops-scales">
          {may(cluster, 'scale') &&
            cluster.groups.map(group => (
              <Scale
                key={group.name}
                cluster={cluster.id}
                group={group}
                named={cluster.groups.length > 1}
                adapts={may(cluster, 'adapt')}
                disabled={stopping || cluster.phase === 'unreachable'}
                onProblem={setProblem}
              />
            ))}
        </div>
        <Actions cluster={cluster} stopping={stopping} />
      </div>
    </li>
  );
});

/** Whether a chart of its last minutes would be more than a line along the bottom. */
function hasWorked({ timeline }: ClusterState): boolean {
  return timeline.length > 1 && timeline.some(sample => sample.running > 0);
}

interface IHeadingProps {
  cluster: ClusterState;
  /** No money where nothing is known of it. */
  known: boolean;
  /** What folds and unfolds the card. */
  fold: React.ReactNode;
  /** Whether this is all that is shown of it: then its workers and its menu are here, too. */
  isLine?: boolean;
}

/** Name, place, money. */
function Heading({ cluster, known, fold, isLine = false }: IHeadingProps): JSX.Element {
  const { commands, store, trans } = useMlops();
  const places = useSelector(state => state.places);
  const { cost } = cluster;
  const word = phase(trans, cluster.phase);
  return (
    <div
      className="jp-mlops-heading"
      title={trans.__('Drag it into a cell for the lines that connect to it')}
      draggable
      onDragStart={event =>
        event.dataTransfer.setData(
          'text/plain',
          clientCode(spelled(store.state.clusters, cluster.id))
        )
      }
    >
      {fold}
      <span className="jp-mlops-dot" data-phase={cluster.phase} title={word} aria-hidden="true" />
      <button
        type="button"
        className="jp-mlops-name"
        title={trans.__('Details of %1 (profile %2, %3)', pathOf(cluster), cluster.profile, word)}
        onClick={() => void commands.execute(CommandIDs.openDetails, { cluster: cluster.id })}
        data-mlops="details"
      >
        {cluster.name}
      </button>
      {isLine ? (
        <span className="jp-mlops-place" data-mlops="workers">
          {workers(trans, cluster.counts, wanted(cluster))}
        </span>
      ) : (
        <span className="jp-mlops-place" title={whose(trans, cluster)} data-mlops="place">
          {[placeBeside(places, cluster), byWhom(cluster)].filter(Boolean).join(' · ')}
        </span>
      )}
      {known && <Money cost={cost} />}
      {isLine && <More cluster={cluster} />}
    </div>
  );
}

function Money({ cost }: { cost: Cost }): JSX.Element {
  const { commands, trans } = useMlops();
  return (
    <span className="jp-mlops-money" title={source(trans, cost)} data-mlops="cost">
      {cost.amount === null ? (
        <button
          type="button"
          className="jp-mlops-link"
          title={`${source(trans, cost)}\n${trans.__('Click to set your rates.')}`}
          onClick={() => void commands.execute(CommandIDs.openSettings)}
          data-mlops="set-rates"
        >
          {trans.__('cost unknown')}
        </button>
      ) : (
        <>
          <span>{brief(trans, cost)}</span>
          <span className="jp-mlops-rate">{briefRate(trans, cost)}</span>
        </>
      )}
    </span>
  );
}

/** About what it would cost in a cloud; it is no price, and stands apart from all that is. */
function CloudPrice({ value }: { value: Reference }): JSX.Element {
  const { trans } = useMlops();
  const title = trans.__(
    'For comparison, in no sum: %1, for what its workers hold now. What it costs you is said in the settings.',
    value.source ?? ''
  );
  return (
    <div className="jp-mlops-reference" title={title} data-mlops="reference">
      {reference(trans, value.per_hour, value.currency)}
    </div>
  );
}

/** When and why it will stop by itself, once that is near enough to matter. */
function WillStop({ cluster }: { cluster: ClusterState }): JSX.Element | null {
  const { trans } = useMlops();
  const now = useNow(10, cluster.stop !== null);
  const { stop, idle_since } = cluster;
  const words = !isOurs(cluster)
    ? '' // its maker knows
    : stop !== null && stop.cause === 'budget' && (cluster.budget || cluster.account)
      ? '' // its bar says it
      : stop !== null
        ? willStop(trans, stop, now)
        : idle_since === null && cluster.limits.idle_timeout !== null
          ? ''
          : trans.__('stops only when you stop it');
  const near = stop !== null && stop.at - now < 2 * 60;
  return words ? (
    <div className={`jp-mlops-stop${near ? ' jp-mod-near' : ''}`} data-mlops="will-stop">
      {words}
    </div>
  ) : null;
}

/** The menu of what else can be done with it. */
function More({ cluster }: { cluster: ClusterState }): JSX.Element {
  const { commands, trans } = useMlops();
  const args = { cluster: cluster.id };
  const [open, setOpen] = useState(false);
  const show = async (anchor: HTMLElement): Promise<void> => {
    setOpen(true);
    await openMenu(commands, anchor, [
      { command: CommandIDs.openDetails, args },
      { command: CommandIDs.openDashboard, args },
      { command: CommandIDs.openPlot, args },
      { command: CommandIDs.openPlots, args },
      null,
      ...(may(cluster, 'run')
        ? [
            { command: CommandIDs.useCluster, args },
            { command: CommandIDs.insertCode, args }
          ]
        : []),
      ...(may(cluster, 'limit') ? [{ command: CommandIDs.limitCluster, args }] : []),
      ...(may(cluster, 'stop') ? [{ command: CommandIDs.stopCluster, args }] : [])
    ]);
    setOpen(false);
    anchor.focus();
  };
  return (
    <Button
      icon={ellipsesIcon}
      label={trans.__('Details, dashboard and more of %1', cluster.name)}
      popup="menu"
      expanded={open}
      onClick={event => void show(event.currentTarget)}
      handle="more-actions"
    />
  );
}

function Actions(props: { cluster: ClusterState; stopping: boolean }): JSX.Element {
  const { commands, trans } = useMlops();
  const { cluster, stopping } = props;
  const args = { cluster: cluster.id };
  return (
    <div
      className="jp-mlops-actions"
      role="group"
      aria-label={trans.__('Actions of %1', cluster.name)}
    >
      <Button
        label={trans.__('Connect the current notebook to this cluster')}
        disabled={stopping || !may(cluster, 'run')}
        onClick={() => commands.execute(CommandIDs.useCluster, args)}
        handle="use"
      >
        {trans.__('use ▸')}
      </Button>
      <More cluster={cluster} />
      <Button
        icon={stopIcon}
        label={stopLabel(trans, cluster)}
        popup="dialog"
        disabled={stopping || !may(cluster, 'stop')}
        onClick={() => commands.execute(CommandIDs.stopCluster, args)}
        handle="stop"
      />
    </div>
  );
}

/** Which spot groups are on demand, why, and until when. */
function SpotBreaks({ cluster }: { cluster: ClusterState }): JSX.Element {
  const { trans } = useMlops();
  const now = useNow(3600);
  return (
    <>
      {cluster.groups
        .filter(group => group.spot_break)
        .map(group => (
          <div className="jp-mlops-words" key={group.name} data-mlops="spot-break">
            {spotBreak(trans, group, now, cluster.groups.length > 1)}
          </div>
        ))}
    </>
  );
}
