import React from 'react';

import { useMlops } from '../state/hooks';
import { TrailEntry } from '../state/schema';
import { deed, door } from '../words/model';
import { clock } from '../words/time';

/** Who did what to a model, and why; newest first. */
export function Trail({ entries }: { entries: readonly TrailEntry[] }): JSX.Element {
  const { store, trans } = useMlops();
  const now = store.now();
  return (
    <ol className="jp-mlops-trail" aria-label={trans.__('Trail, newest first')} data-mlops="trail">
      {[...entries].reverse().map(entry => (
        <li key={entry.seq} data-verb={entry.verb} data-mlops="trail-entry">
          <time>{clock(entry.time, now)}</time>
          <span className="jp-mlops-trail-who">
            {[entry.actor.name, door(trans, entry.actor.how)].filter(Boolean).join(', ')}
          </span>
          <span className="jp-mlops-trail-what">
            {deed(trans, entry)}
            {entry.why && <q>{entry.why}</q>}
            {entry.gates
              .filter(gate => !gate.passed)
              .map(gate => (
                <span key={gate.gate} className="jp-mlops-trail-gate">
                  ✗ {gate.gate}: {gate.words}
                </span>
              ))}
          </span>
        </li>
      ))}
    </ol>
  );
}
