import React from 'react';

import { useMlops } from '../state/hooks';
import { Spend } from '../state/schema';
import { money, quantity } from '../words/money';
import { partDetails, partName, PARTS } from '../words/spend';

/** Where the money went: a bar, and what each piece of it is, in words and amounts. */
export function SpendPart({ spend }: { spend: Spend }): JSX.Element | null {
  const { trans } = useMlops();
  const { hours, amount, currency } = spend;
  const total = PARTS.reduce((sum, part) => sum + hours[part], 0);
  if (total <= 0) {
    return null;
  }
  const paid = amount && PARTS.reduce((sum, part) => sum + amount[part], 0);
  const there = PARTS.filter(part => hours[part] > 0).map(part => ({
    part,
    name: partName(trans, part),
    share: paid ? amount[part] / paid : hours[part] / total
  }));
  const percent = (share: number): string =>
    share > 0 && share < 0.005 ? trans.__('< 1%') : trans.__('%1%', Math.round(100 * share));
  return (
    <section className="jp-mlops-spend" aria-label={trans.__('Where it went')} data-mlops="spend">
      <h3>{amount ? trans.__('Where the money went') : trans.__('Where the time went')}</h3>
      <div
        className="jp-mlops-spend-bar"
        role="img"
        aria-label={there.map(({ name, share }) => `${name} ${percent(share)}`).join(', ')}
      >
        {there.map(({ part, name, share }) => (
          <span
            key={part}
            data-part={part}
            title={`${name} ${percent(share)}\n${partDetails(trans, part)}`}
            style={{ flexGrow: share }}
          />
        ))}
      </div>
      <table>
        <thead>
          <tr>
            <th scope="col">{trans.__('For')}</th>
            <th scope="col">{trans.__('Share')}</th>
            <th scope="col">{trans.__('Worker-hours')}</th>
            {amount && <th scope="col">{trans.__('Cost')}</th>}
          </tr>
        </thead>
        <tbody>
          {there.map(({ part, name, share }) => (
            <tr key={part} title={partDetails(trans, part)} data-mlops={`spend-${part}`}>
              <th scope="row">
                <i data-part={part} aria-hidden="true" />
                {name}
              </th>
              <td>{percent(share)}</td>
              <td>{quantity(hours[part])}</td>
              {amount && <td>{money(trans, amount[part], currency)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
