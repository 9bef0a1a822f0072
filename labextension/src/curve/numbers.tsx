import React from 'react';

import { useMlops } from '../state/hooks';
import { CurveData } from '../state/schema';
import { number, significant } from '../words/number';
import { facts } from './data';

/** What a curve says in numbers, as cells of a row: its last step and value, the smallest one, and the largest. */
export function NumberCells({ curve }: { curve: CurveData }): JSX.Element {
  const { trans } = useMlops();
  const known = facts(curve);
  const lastStep = curve.steps[curve.steps.length - 1];
  const last = curve.values[curve.values.length - 1];
  const odd = curve.odd && trans.__('%1 from step %2 on', curve.odd, number(curve.odd_step ?? 0));
  return (
    <>
      <td>{lastStep === undefined ? '' : number(lastStep)}</td>
      <td title={odd || undefined}>
        {typeof last === 'number' ? significant(last, 5) : curve.odd || '–'}
      </td>
      <td>{known && trans.__('%1 at %2', significant(known.low, 5), number(known.lowStep))}</td>
      <td>{known && significant(known.high, 5)}</td>
    </>
  );
}
