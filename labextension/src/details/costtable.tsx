import React from 'react';

import { useMlops } from '../state/hooks';
import { Cost } from '../state/schema';
import { missing, money, quantity } from '../words/money';

type RowCost = Pick<Cost, 'amount' | 'currency' | 'usage' | 'unknown'>;

/** A line: whose cost it is. */
export interface ICostRow {
  name: string;
  cost: RowCost;
}

interface ICostTableProps {
  head: string;
  rows: readonly ICostRow[];
  total?: RowCost;
}

/** What was used, and what it cost, line by line. */
export function CostTable({ head, rows, total }: ICostTableProps): JSX.Element {
  const { trans } = useMlops();
  const gpus = [...rows.map(row => row.cost), ...(total ? [total] : [])].some(
    cost => cost.usage.gpu_hours > 0
  );
  const row = ({ name, cost }: ICostRow): JSX.Element => (
    <tr key={`${name} ${cost.currency}`}>
      <th scope="row">{name}</th>
      <td>{quantity(cost.usage.worker_hours)}</td>
      <td>{quantity(cost.usage.cpu_hours)}</td>
      <td>{quantity(cost.usage.gb_hours)}</td>
      {gpus && <td>{quantity(cost.usage.gpu_hours)}</td>}
      <td>
        {money(trans, cost.amount, cost.currency)}
        {missing(trans, cost) && <small>{trans.__('+ %1', missing(trans, cost))}</small>}
      </td>
    </tr>
  );
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{head}</th>
          <th scope="col">{trans.__('Worker-hours')}</th>
          <th scope="col">{trans.__('CPU-hours')}</th>
          <th scope="col">{trans.__('GB-hours')}</th>
          {gpus && <th scope="col">{trans.__('GPU-hours')}</th>}
          <th scope="col">{trans.__('Cost')}</th>
        </tr>
      </thead>
      <tbody>{rows.map(row)}</tbody>
      {total && <tfoot>{row({ name: trans.__('All'), cost: total })}</tfoot>}
    </table>
  );
}
