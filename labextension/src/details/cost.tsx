import React, { useState } from 'react';

import { WastePart } from '../cluster/waste';
import { CommandIDs } from '../commands';
import { ExportButton } from '../money/export';
import { ProblemLine } from '../controls/problem';
import { AdviceLines } from '../run/advice';
import { accounts } from '../state/accounts';
import { useMlops, useSelector } from '../state/hooks';
import { Cost, Problem, Receipt } from '../state/schema';
import { ended } from '../words/cluster';
import { dedicated, perHour, quantity, rates, sum } from '../words/money';
import { number } from '../words/number';
import { clock, span } from '../words/time';
import { CostTable, ICostRow } from './costtable';
import { useFetched } from './fetched';
import { IPartProps } from './part';
import { SpendPart } from './spend';

/** What it cost: so far, or in the end; by group; and what that rests on. */
export function CostPart(props: IPartProps): JSX.Element {
  const { cluster } = props;
  const { store, trans } = useMlops();
  const isOver = cluster.phase === 'ended';
  const { value: receipt } = useFetched(`${cluster.id} ${isOver}`, async () =>
    isOver ? store.api.receipt(cluster.id) : null
  );
  const cost = receipt?.cost ?? cluster.cost;
  const spend = receipt?.spend ?? cluster.spend;
  const [problem, setProblem] = useState<Problem | null>(null);
  const groups: ICostRow[] = receipt
    ? Object.entries(receipt.groups).map(([name, cost]) => ({ name, cost }))
    : cluster.groups.map(({ name, cost }) => ({ name, cost }));
  return (
    <div className="jp-mlops-scroll jp-mlops-receipt" data-mlops="receipt-sheet">
      <Sum cost={cost} isOver={isOver} />
      <CostTable head={trans.__('Group')} rows={groups} total={cost} />
      <p className="jp-mlops-hint">{rates(trans, cost)}</p>
      {spend && <SpendPart spend={spend} />}
      <AdviceLines advice={cluster.advice} profile={cluster.profile} of={{ cluster: cluster.id }} />
      <WastePart cluster={cluster} onProblem={setProblem} />
      {problem && <ProblemLine problem={problem} onDismiss={() => setProblem(null)} />}
      {cost.dedicated && <Nodes cost={cost} isOver={isOver} />}
      <Facts {...props} receipt={receipt ?? null} />
      <Owners />
      <ExportButton />
    </div>
  );
}

/** What it cost in a figure; without a price what was used, and the way to a price. */
function Sum({ cost, isOver }: { cost: Cost; isOver: boolean }): JSX.Element {
  const { commands, trans } = useMlops();
  if (cost.amount === null) {
    return (
      <p className="jp-mlops-sum">
        {trans.__('%1 CPU-hours, cost unknown', quantity(cost.usage.cpu_hours))}
        <small>
          <button
            type="button"
            className="jp-mlops-link"
            onClick={() => void commands.execute(CommandIDs.openSettings)}
            data-mlops="set-rates"
          >
            {trans.__('Set your rates…')}
          </button>
        </small>
      </p>
    );
  }
  return (
    <p className="jp-mlops-sum" data-mlops="cost-sum">
      {sum(trans, cost)}
      <small>
        {isOver
          ? trans.__('in all')
          : cost.per_hour === null
            ? trans.__('so far')
            : trans.__(
                'so far, now %1',
                perHour(trans, cost.per_hour, cost.currency, cost.unpriced)
              )}
      </small>
    </p>
  );
}

/** The other figure: its workers' share of the nodes is above, this is all of the nodes. */
function Nodes({ cost, isOver }: { cost: Cost; isOver: boolean }): JSX.Element {
  const { trans } = useMlops();
  const now = cost.dedicated!.per_hour;
  const words = dedicated(trans, cost);
  return (
    <dl title={trans.__('Each node once, while it held any of the workers')}>
      <div data-mlops="whole-nodes">
        <dt>{trans.__('Whole nodes')}</dt>
        <dd>
          {isOver || now === null
            ? words
            : trans.__('%1; now %2', words, perHour(trans, now, cost.currency))}
        </dd>
      </div>
    </dl>
  );
}

/** When it was, whose, and how much it did. */
function Facts({ cluster, receipt }: IPartProps & { receipt: Receipt | null }): JSX.Element {
  const { store, trans } = useMlops();
  const now = store.now();
  const until = cluster.ended ?? now;
  const facts: [string, string][] = [
    [trans.__('Profile'), receipt?.profile ?? cluster.profile],
    [trans.__('Owner'), receipt?.owner ?? cluster.owner],
    [trans.__('Made'), clock(cluster.created, now)]
  ];
  if (cluster.phase === 'ended') {
    facts.push([trans.__('Ended'), clock(until, now)]);
    facts.push([trans.__('Why'), receipt?.why || ended(trans, cluster.cause)]);
  }
  facts.push([
    cluster.phase === 'ended' ? trans.__('Lived') : trans.__('Age'),
    span(trans, until - cluster.created)
  ]);
  if (receipt) {
    facts.push([trans.__('Most workers'), number(receipt.most_workers)]);
    facts.push([trans.__('Tasks'), number(receipt.tasks)]);
    facts.push([trans.__('Runs'), number(receipt.runs)]);
  }
  return (
    <dl>
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** What the clusters that are listed cost together, by owner; nothing where this is the only one. */
function Owners(): JSX.Element | null {
  const { trans } = useMlops();
  const clusters = useSelector(state => state.clusters);
  if (clusters.size < 2) {
    return null;
  }
  const rows = accounts(clusters.values()).map(({ owner, clusters, unpriced, cost }) => {
    const name = trans._n('%2, %1 cluster', '%2, %1 clusters', clusters, owner);
    const isPart = unpriced > 0 && unpriced < clusters;
    return { name: isPart ? trans.__('%1, %2 without a price', name, unpriced) : name, cost };
  });
  return (
    <section aria-label={trans.__('Costs by owner')} data-mlops="owners">
      <h3>{trans.__('All clusters that are listed, by owner')}</h3>
      <CostTable head={trans.__('Owner')} rows={rows} />
    </section>
  );
}
