import React from 'react';

import { warningIcon } from '../controls/problem';
import { useMlops, useNow } from '../state/hooks';
import { SilentPlace } from '../state/schema';
import { silence } from '../words/place';

/** A place that doesn't answer, in a line; opened, why and what to do. */
export function SilentLine({ place }: { place: SilentPlace }): JSX.Element {
  const { trans } = useMlops();
  const now = useNow(10, place.seen !== null);
  const { why, todo } = place.problem;
  return (
    <details className="jp-mlops-silent" data-mlops="silent-place" data-name={place.place}>
      <summary title={[why, todo].filter(Boolean).join('\n')}>
        <warningIcon.react tag="span" elementSize="normal" aria-hidden="true" />
        <span>{silence(trans, place, now)}</span>
      </summary>
      {why && <div className="jp-mlops-problem-why">{why}</div>}
      {todo && <div className="jp-mlops-problem-todo">{todo}</div>}
    </details>
  );
}
