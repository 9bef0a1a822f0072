import React from 'react';

import { CommandIDs } from '../commands';
import { useMlops } from '../model/hooks';
import { Cost } from '../model/schema';
import { ended } from '../words/cluster';
import { money, perHour, quantity, rates } from '../words/money';
import { clock, span } from '../words/time';
import { useFetched } from './fetched';
import { IPartProps } from './view';

/** What it cost: so far, or in the end; by group; and what that rests on. */
export function CostPart({ cluster }: IPartProps): JSX.Element {
  const { store, trans } = useMlops();
  const isOver = cluster.phase === 'ended';
  const { value: receipt } = useFetched(`${cluster.name} ${isOver}`, async () =>
    isOver ? store.api.receipt(cluster.name) : null
  );
  const now = store.now();
  const cost = receipt?.cost ?? cluster.cost;
  const until = cluster.ended ?? now;
  const facts: [string, string][] = [
    [trans.__('Profile'), receipt?.profile ?? cluster.profile],
    [trans.__('Owner'), receipt?.owner ?? cluster.owner],
    [trans.__('Made'), clock(cluster.created, now)]
  ];
  if (isOver) {
    facts.push([trans.__('Ended'), clock(until, now)]);
    facts.push([trans.__('Why'), receipt?.why || ended(trans, cluster.cause)]);
  }
  facts.push([trans.__('Lived'), span(trans, until - cluster.created)]);
  if (receipt) {
    facts.push([trans.__('Most workers'), receipt.most_workers.toLocaleString()]);
    facts.push([trans.__('Tasks'), receipt.tasks.toLocaleString()]);
    facts.push([trans.__('Runs'), receipt.runs.toLocaleString()]);
  }
  return (
    <div className="jp-mlops-scroll jp-mlops-receipt" data-mlops="receipt-sheet">
      <Sum cost={cost} isOver={isOver} />
      <Costs groups={receipt?.groups ?? {}} total={cost} />
      <p className="jp-mlops-hint">{rates(trans, cost)}</p>
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
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
    <p className="jp-mlops-sum">
      {money(trans, cost.amount, cost.currency)}
      <small>
        {isOver
          ? trans.__('in all')
          : cost.per_hour === null
            ? trans.__('so far')
            : trans.__('so far, now %1', perHour(trans, cost.per_hour, cost.currency))}
      </small>
    </p>
  );
}

function Costs({ groups, total }: { groups: Record<string, Cost>; total: Cost }): JSX.Element {
  const { trans } = useMlops();
  const rows = Object.entries(groups);
  const gpus = total.usage.gpu_hours > 0;
  const row = (name: string, { amount, currency, usage }: Cost): JSX.Element => (
    <tr key={name}>
      <th scope="row">{name}</th>
      <td>{quantity(usage.worker_hours)}</td>
      <td>{quantity(usage.cpu_hours)}</td>
      <td>{quantity(usage.gb_hours)}</td>
      {gpus && <td>{quantity(usage.gpu_hours)}</td>}
      <td>{money(trans, amount, currency)}</td>
    </tr>
  );
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{trans.__('Group')}</th>
          <th scope="col">{trans.__('Worker-hours')}</th>
          <th scope="col">{trans.__('CPU-hours')}</th>
          <th scope="col">{trans.__('GB-hours')}</th>
          {gpus && <th scope="col">{trans.__('GPU-hours')}</th>}
          <th scope="col">{trans.__('Cost')}</th>
        </tr>
      </thead>
      <tbody>{rows.map(([name, cost]) => row(name, cost))}</tbody>
      <tfoot>{row(trans.__('All'), total)}</tfoot>
    </table>
  );
}
