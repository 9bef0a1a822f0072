import React from 'react';

import { useMlops } from '../state/hooks';
import { Saving } from '../state/schema';
import { money } from '../words/money';

interface IWaterfallProps {
  saving: Saving;
  /** What is compared with, in words. */
  baseline: string;
}

/** From what ended clusters would have cost to what they did: each bar begins where the one above ends. */
export function Waterfall({ saving, baseline }: IWaterfallProps): JSX.Element {
  const { trans } = useMlops();
  const { stopped, sized, paid, currency } = saving;
  const [kept, shaped] = [saving.baseline - stopped, saving.baseline - stopped - sized];
  const most = Math.max(saving.baseline, kept, shaped, paid) || 1;
  const hours = trans.__('compared with not stopping');
  const rates = trans.__('measured by their rates');
  const rows = [
    { name: trans.__('Baseline'), from: 0, to: saving.baseline, kind: 'whole', basis: baseline },
    {
      name: trans.__('Stopped when idle'),
      from: saving.baseline,
      to: kept,
      kind: 'step',
      basis: hours
    },
    {
      name: trans.__('Right size'),
      from: kept,
      to: shaped,
      kind: 'step',
      basis: trans.__('measured: the workers that the profile had before advice was followed')
    },
    {
      name: trans.__('Spot and discounts'),
      from: shaped,
      to: paid,
      kind: 'step',
      basis: rates
    },
    { name: trans.__('Paid'), from: 0, to: paid, kind: 'whole', basis: trans.__('measured') }
  ];
  const amountOf = (kind: string, from: number, to: number): string => {
    const words = money(trans, Math.abs(to - from), currency);
    return kind === 'whole' || to === from ? words : `${to < from ? '−' : '+'} ${words}`;
  };
  return (
    <table className="jp-mlops-waterfall" data-mlops="waterfall">
      <caption>{trans.__('Saved with clusters that ended')}</caption>
      <tbody>
        {rows.map(({ name, from, to, kind, basis }) => (
          <tr key={name} title={`${name}: ${amountOf(kind, from, to)}\n${basis}`}>
            <th scope="row">{name}</th>
            <td>{amountOf(kind, from, to)}</td>
            <td aria-hidden="true">
              <span
                data-kind={kind === 'whole' ? 'whole' : to <= from ? 'saved' : 'lost'}
                style={{
                  marginLeft: `${(100 * Math.min(from, to)) / most}%`,
                  width: `${(100 * Math.abs(to - from)) / most}%`
                }}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
