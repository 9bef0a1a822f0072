import React, { useMemo } from 'react';

import { ProblemLine } from '../controls/problem';
import { useMlops } from '../state/hooks';
import { Problem, RunState, Trial } from '../state/schema';
import { useTrials } from './fetch';
import { argumentsOf, bestOf, ended, inOrder } from './order';
import { Parallel } from './parallel';
import { Trials } from './trials';

/** A sweep as it is shown. */
export interface ISweep extends Pick<ReturnType<typeof useTrials>['tried'], 'sweep'> {
  names: readonly string[];
  /** The best ones first. */
  ordered: readonly Trial[];
  best: Trial | null;
  problem: Problem | null;
}

/** The trials of a sweep, as far as they are known; none of another kind of run. */
export function useSweep(run: RunState): ISweep {
  const { tried, problem } = useTrials(run);
  const { sweep, trials } = tried;
  const { phase } = run;
  return useMemo(() => {
    const goal = sweep?.goal ?? 'max';
    const ordered = inOrder(ended(run, trials.values()), goal);
    const best = bestOf(ordered, goal);
    return { sweep, names: argumentsOf(sweep, ordered), ordered, best, problem };
    // Of the run it matters only whether it is over.
    // eslint-disable-next-line react-hooks/exhaustive-deps -- see above
  }, [sweep, trials, phase, problem]);
}

/** What a sweep tried: as lines over its arguments, and as a table. */
export function SweepPart(props: {
  run: RunState;
  shown: ISweep;
  height?: number;
  rows?: number;
}): JSX.Element {
  const { run, shown, height = 150, rows } = props;
  const { trans } = useMlops();
  const { problem, ...parts } = shown;
  const label = trans.__('Trials of %1', run.name);
  return (
    <div className="jp-mlops-sweep" data-mlops="sweep">
      {problem && <ProblemLine problem={problem} />}
      {parts.ordered.length > 0 && (
        <>
          {parts.names.length > 0 && <Parallel {...parts} height={height} />}
          <Trials label={label} {...parts} rows={rows} />
        </>
      )}
    </div>
  );
}
