import React from 'react';

import { useMlops, useSelector } from '../state/hooks';
import { RunState } from '../state/schema';
import { fineSum, source } from '../words/money';
import { runPhase } from '../words/run';
import { SweepPart, useSweep } from './details';
import { sweepFacts } from './facts';

/** Pixels of the lines, and rows of the table in sight. */
const HEIGHT = 320;
const ROWS = 24;

/** A sweep with room for many arguments and trials. */
export function SweepView({ run: id }: { run: string }): JSX.Element {
  const { trans } = useMlops();
  const run = useSelector(state => state.runs.get(id) ?? state.older.get(id));
  const loaded = useSelector(state => state.loaded);
  return run ? (
    <Known run={run} />
  ) : (
    <p className="jp-mlops-hint">
      {loaded ? trans.__('There is no such run any more.') : trans.__('Connecting…')}
    </p>
  );
}

function Known({ run }: { run: RunState }): JSX.Element {
  const { trans } = useMlops();
  const tried = useSweep(run);
  return (
    <div className="jp-mlops-scroll jp-mlops-sweep-view" data-mlops="sweep-view">
      <div className="jp-mlops-summary">
        <h2>{run.name}</h2>
        <span>{runPhase(trans, run.phase)}</span>
        {run.cost.amount !== null && (
          <span title={source(trans, run.cost)}>{fineSum(trans, run.cost)}</span>
        )}
        <span>{run.cluster}</span>
      </div>
      <dl>
        {sweepFacts(trans, run, tried.sweep, tried.ordered, tried.best).map(([name, words]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
      <SweepPart run={run} shown={tried} height={HEIGHT} rows={ROWS} />
    </div>
  );
}
