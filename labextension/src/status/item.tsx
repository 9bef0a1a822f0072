import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { CommandIDs } from '../commands';
import { mlopsIcon } from '../icons';
import { GatedWidget } from '../sidebar/gated';
import { IContext, useMlops, useSelector } from '../state/hooks';
import { Budget, ClusterState } from '../state/schema';
import { IState, isLive } from '../state/state';
import { percent, used } from '../words/budget';
import { present } from '../words/cluster';
import { perHour } from '../words/money';
import { number } from '../words/number';

/** In the status bar: how many workers there are and what they cost an hour. Nothing while there is no cluster. */
export class StatusItem extends GatedWidget {
  constructor(context: Omit<IContext, 'gate'>) {
    super(context, () => <Status />);
    this.addClass('jp-mlops-status-item');
  }
}

function Status(): JSX.Element | null {
  const { commands, trans } = useMlops();
  const words = useSelector(state => statusWords(trans, state));
  return words ? (
    <button
      type="button"
      className="jp-mlops-status"
      title={trans.__(
        'ML Ops: workers of all clusters and their cost per hour; of budgets the one of which most is used'
      )}
      onClick={() => void commands.execute(CommandIDs.openPanel)}
      data-mlops="status"
    >
      <mlopsIcon.react tag="span" elementSize="normal" aria-hidden="true" />
      {words}
    </button>
  ) : null;
}

/**
 * "14 workers · $2.31/h", over all live clusters, "$2.31/h + ?" where one has no price; "$4.10 · $2.30/h · 62 %" where one
 * has a budget, of which so much is used; empty while there is none.
 */
export function statusWords(trans: TranslationBundle, state: IState): string {
  const live = [...state.clusters.values()].filter(isLive);
  if (live.length === 0) {
    return '';
  }
  if (state.connection.phase === 'gone') {
    return trans.__('server doesn’t answer');
  }
  const count = live.reduce((sum, cluster) => sum + present(cluster.counts), 0);
  const rates = new Map<string, number>();
  for (const { cost } of live) {
    if (cost.per_hour !== null) {
      rates.set(cost.currency, (rates.get(cost.currency) ?? 0) + cost.per_hour);
    }
  }
  const sums = [...rates].map(([currency, rate]) => perHour(trans, rate, currency));
  const isPart = live.some(({ cost }) => cost.unpriced > 0 || cost.per_hour === null);
  const rate = [...sums, ...(sums.length > 0 && isPart ? ['?'] : [])].join(' + ');
  const nearest = nearestEnd(live);
  if (nearest) {
    const part = trans.__('%1%', percent(nearest));
    const warned = ['fine', 'half'].includes(nearest.step) ? part : trans.__('budget %1', part);
    return [used(trans, nearest), rate, warned].filter(Boolean).join(' · ');
  }
  return [trans._n('%2 worker', '%2 workers', count, number(count)), rate]
    .filter(Boolean)
    .join(' · ');
}

/** Of all budgets the one of which most is used. */
function nearestEnd(live: readonly ClusterState[]): Budget | null {
  const budgets = live.flatMap(({ budget }) => budget ?? []);
  return budgets.sort((one, other) => percent(other) - percent(one))[0] ?? null;
}
