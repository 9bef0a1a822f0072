import React from 'react';

import { useMlops } from '../state/hooks';
import { Finding, GateResult } from '../state/schema';

/** What was looked at, one a line: whether it passed, and the figures. */
export function Results(props: { results: readonly (GateResult | Finding)[] }): JSX.Element {
  const { trans } = useMlops();
  return (
    <ul className="jp-mlops-results">
      {props.results.map(result => {
        const name = 'gate' in result ? result.gate : result.what;
        return (
          <li key={name} data-passed={result.passed} data-mlops="result">
            <span className="jp-mlops-mark" aria-hidden="true">
              {result.passed ? '✓' : '✗'}
            </span>
            <span className="jp-mlops-hidden">
              {result.passed ? trans.__('passed') : trans.__('failed')}
            </span>{' '}
            <strong>{name}</strong> {result.words}
          </li>
        );
      })}
    </ul>
  );
}
