import React, { memo } from 'react';

import { useMlops } from '../state/hooks';
import { Counts } from '../state/schema';
import { workers } from '../words/cluster';

/** Workers up to which each has a cell of its own; above, a phase is one stretch of the bar. */
const MOST_CELLS = 24;

type Kind = 'busy' | 'idle' | 'retiring' | 'starting' | 'pending' | 'lost';

interface IBarProps {
  counts: Counts;
  wanted: number;
}

/** The workers as a bar: as small at 1,000 as at 4. The words below it say the same. */
export const Bar = memo(function Bar({ counts, wanted }: IBarProps): JSX.Element {
  const { trans } = useMlops();
  const stretches = stretchesOf(counts, wanted).filter(([, count]) => count > 0);
  const total = stretches.reduce((sum, [, count]) => sum + count, 0);
  return (
    <div
      className="jp-mlops-bar"
      role="img"
      aria-label={workers(trans, counts, wanted)}
      data-mlops="bar"
    >
      {total <= MOST_CELLS
        ? stretches.flatMap(([kind, count]) =>
            Array.from({ length: count }, (_, index) => (
              <span key={kind + index} className="jp-mlops-cell" data-kind={kind} />
            ))
          )
        : stretches.map(([kind, count]) => (
            <span
              key={kind}
              className="jp-mlops-cell jp-mod-stretch"
              data-kind={kind}
              style={{ flexGrow: count }}
            />
          ))}
    </div>
  );
});

/** Every wanted worker is somewhere in the bar, also one that nobody has asked the place for yet. */
function stretchesOf(counts: Counts, wanted: number): [Kind, number][] {
  const { busy, idle, retiring, starting, lost } = counts;
  const known = busy + idle + starting + counts.pending + counts.requested;
  const pending = counts.pending + counts.requested + Math.max(0, wanted - known);
  return [
    ['busy', busy],
    ['idle', idle],
    ['retiring', retiring],
    ['starting', starting],
    ['pending', pending],
    ['lost', lost]
  ];
}
