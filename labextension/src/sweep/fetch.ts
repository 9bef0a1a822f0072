import { useEffect, useRef, useState } from 'react';

import { IApi } from '../api';
import { asProblem } from '../request';
import { useMlops } from '../state/hooks';
import { Problem, RunState, SweepOptions, Trial, TrialsView } from '../state/schema';
import { isRunning } from '../state/state';
import { ended, inOrder } from './order';

/** Milliseconds between two questions for the trials of a sweep that goes on. */
const PERIOD = 2000;
/** Milliseconds that a new question waits at least for the answer to the last one. */
const BUSY = 500;

/** A sweep as it is known here. */
export interface ITried {
  seq: number;
  /** What was asked of it; null until the server has said it. */
  sweep: SweepOptions | null;
  trials: ReadonlyMap<number, Trial>;
}

export const UNTRIED: ITried = { seq: 0, sweep: null, trials: new Map() };

/** What is known, with what changed. */
export function mergeTrials(known: ITried, view: TrialsView): ITried {
  const trials = new Map(known.trials);
  view.trials.forEach(trial => trials.set(trial.number, trial));
  return { seq: view.seq, sweep: view.sweep, trials };
}

/** All trials of a sweep until now, the best ones first. */
export async function allTrials(api: IApi, run: RunState): Promise<Trial[]> {
  let known = UNTRIED;
  for (let more = true; more;) {
    const view = await api.trials(run.id, known.seq);
    known = mergeTrials(known, view);
    more = view.more;
  }
  return inOrder(ended(run, known.trials.values()), known.sweep?.goal ?? 'max');
}

/**
 * The trials of a sweep; of another kind of run nothing is asked for. They are asked for at once, and again when a
 * sweep that goes on has changed: what can't be seen isn't told of changes, and so asks nothing.
 */
export function useTrials(run: RunState): { tried: ITried; problem: Problem | null } {
  const { store } = useMlops();
  const [tried, setTried] = useState(UNTRIED);
  const [problem, setProblem] = useState<Problem | null>(null);
  const seq = useRef(0);
  const asked = useRef({ at: -Infinity, over: false, busy: false });
  const mounted = useRef(true);
  const latest = useRef(run);
  latest.current = run;
  const wanted = run.kind === 'sweep' && run.problem === null;

  useEffect(() => {
    mounted.current = true;
    return () => {
      mounted.current = false;
    };
  }, []);

  useEffect(() => {
    const ask = async (): Promise<void> => {
      const over = !isRunning(latest.current);
      asked.current = { at: Date.now(), over, busy: true };
      try {
        let more = true;
        while (more && mounted.current) {
          const view = await store.api.trials(run.id, seq.current);
          seq.current = view.seq;
          more = view.more;
          if (mounted.current) {
            setTried(old => mergeTrials(old, view));
            setProblem(null);
          }
        }
      } catch (error) {
        if (mounted.current) {
          setProblem(asProblem(error));
        }
      }
      asked.current.busy = false;
    };
    const { at, over, busy } = asked.current;
    if (!wanted || over) {
      return;
    }
    const early = busy || isRunning(run) ? at + PERIOD - Date.now() : 0;
    const wait = busy ? Math.max(early, BUSY) : early;
    if (wait <= 0) {
      void ask();
      return;
    }
    const timer = setTimeout(() => void ask(), wait);
    return () => clearTimeout(timer);
  }, [run, wanted, store]);
  return { tried, problem };
}
