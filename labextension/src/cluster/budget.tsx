import React, { useState } from 'react';

import { ILimitChange } from '../api';
import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { asProblem } from '../request';
import { useMlops, useNow, useSelector } from '../state/hooks';
import { ClusterState, Problem, RunState } from '../state/schema';
import { isRunning, IState } from '../state/state';
import { details, lasts, more, percent, projection, step, used } from '../words/budget';
import { fineMoney } from '../words/money';
import { may } from './others';

/** Seconds before the end of its lifetime from which more time is offered. */
const LATE = 3600;

interface IBudgetProps {
  cluster: ClusterState;
  onProblem: (problem: Problem | null) => void;
}

/** A cluster's budget as one bar, what that means, and the buttons that raise its limits. */
export function BudgetPart({ cluster, onProblem }: IBudgetProps): JSX.Element | null {
  const { trans } = useMlops();
  const now = useNow(10, true);
  const { budget, limits, stop } = cluster;
  const projected = useSelector(state => stoppedRun(state, cluster.id));
  const isLate = stop?.cause === 'lifetime' && stop.at - now < LATE;
  const isTold = budget !== null && budget.step !== 'fine';
  if (budget === null) {
    return isLate && may(cluster, 'limit') ? (
      <Raise cluster={cluster} money={null} onProblem={onProblem} hasTime />
    ) : null;
  }
  const words = step(trans, budget);
  const early = projected && projection(trans, projected);
  return (
    <div className="jp-mlops-budget" data-mlops="budget" data-step={budget.step}>
      <div
        className="jp-mlops-budget-bar"
        role="img"
        aria-label={trans.__('%1% of the budget is used', percent(budget))}
        title={details(trans, budget, now)}
      >
        {(['spent', 'assumed', 'projected'] as const).map(kind => (
          <span
            key={kind}
            data-kind={kind}
            style={{ width: `${Math.min(100, (100 * budget[kind]) / budget.limit)}%` }}
          />
        ))}
      </div>
      <div className="jp-mlops-budget-words" title={details(trans, budget, now)}>
        <span>
          {trans.__('%1 of %2', used(trans, budget), fineMoney(budget.limit, budget.currency))}
        </span>
        <span data-mlops="budget-lasts">{lasts(trans, budget, now)}</span>
      </div>
      {words && (
        <div className="jp-mlops-budget-step" role="status" data-mlops="budget-step">
          {words}
        </div>
      )}
      {early && (
        <div className="jp-mlops-budget-step" role="status" data-mlops="early-word">
          {trans.__('“%1”: %2', projected.name, early)}
        </div>
      )}
      {(isTold || isLate || early) && may(cluster, 'limit') && (
        <Raise
          cluster={cluster}
          money={isTold || early ? more(budget) : null}
          hasTime={limits.lifetime !== null}
          onProblem={onProblem}
        />
      )}
    </div>
  );
}

/** A run of the cluster that the cluster's budget would end, as far as is known. */
function stoppedRun(state: IState, cluster: string): RunState | null {
  const runs = [...state.runs.values()].filter(run => run.cluster_id === cluster && isRunning(run));
  return (
    runs.find(({ projection: known }) => typeof known?.stops_at === 'number' && !known.own) ?? null
  );
}

interface IRaiseProps extends IBudgetProps {
  /** How much money is offered; null for none. */
  money: number | null;
  hasTime: boolean;
}

/** "+ $10" and "+ 1 h". */
function Raise({ cluster, money, hasTime, onProblem }: IRaiseProps): JSX.Element {
  const { commands, trans } = useMlops();
  const [busy, setBusy] = useState(false);
  const raise = async (change: ILimitChange): Promise<void> => {
    setBusy(true);
    onProblem(null);
    try {
      await commands.execute(CommandIDs.limitCluster, { cluster: cluster.id, ...change });
    } catch (error) {
      onProblem(asProblem(error));
    }
    setBusy(false);
  };
  const disabled = busy || cluster.phase !== 'running';
  const sum = money === null ? '' : fineMoney(money, cluster.cost.currency).replace(/\.00$/, '');
  return (
    <div className="jp-mlops-raise" role="group" aria-label={trans.__('Raise the limits')}>
      {money !== null && (
        <Button
          label={trans.__('Raise the budget of %1 by %2', cluster.name, sum)}
          disabled={disabled}
          onClick={() => raise({ more_money: money })}
          handle="more-money"
        >
          {trans.__('+ %1', sum)}
        </Button>
      )}
      {hasTime && (
        <Button
          label={trans.__('Let %1 live for an hour more', cluster.name)}
          disabled={disabled}
          onClick={() => raise({ more_time: 3600 })}
          handle="more-time"
        >
          {trans.__('+ 1 h')}
        </Button>
      )}
    </div>
  );
}
