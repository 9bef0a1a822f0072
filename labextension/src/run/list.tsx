import React, { useMemo, useState } from 'react';

import { Button } from '../controls/button';
import { useMlops, useSelector } from '../state/hooks';
import { isRunning, newest } from '../state/state';
import { Row } from './row';

/** Runs that are shown before "more". */
const FIRST = 12;

/** The runs: live ones first, then the newest. */
export function Runs(): JSX.Element {
  const { trans } = useMlops();
  const runs = useSelector(state => state.runs);
  const loaded = useSelector(state => state.loaded);
  const [most, setMost] = useState(FIRST);
  const ordered = useMemo(() => {
    const all = newest(runs.values(), run => run.id);
    return [...all.filter(isRunning), ...all.filter(run => !isRunning(run))];
  }, [runs]);
  return (
    <section aria-labelledby="jp-mlops-runs" data-mlops="runs">
      <h3 id="jp-mlops-runs">{trans.__('Runs')}</h3>
      {loaded && ordered.length === 0 && (
        <p className="jp-mlops-hint">
          {trans.__('No run yet: begin a cell with %1 to run it on a cluster.', '%%mlrun')}
        </p>
      )}
      <ul className="jp-mlops-runs">
        {ordered.slice(0, most).map(run => (
          <Row key={run.id} run={run} />
        ))}
      </ul>
      {ordered.length > most && (
        <Button
          label={trans.__('Show older runs')}
          onClick={() => setMost(most + 50)}
          handle="older-runs"
        >
          {trans.__('%1 more', ordered.length - most)}
        </Button>
      )}
    </section>
  );
}
