import { useEffect, useMemo, useRef, useState } from 'react';

import { asProblem } from '../request';
import { useMlops } from '../state/hooks';
import { Problem, RunState } from '../state/schema';
import { isRunning } from '../state/state';
import { ICurves, merge, NONE } from './data';

/** Milliseconds between two questions for the curves of a run that goes on. */
const PERIOD = 2000;

/**
 * The curves of some runs, by their ids. They are asked for when a run comes, and again when one that goes on has
 * changed: what can't be seen isn't told of changes, and so asks nothing.
 *
 * @param most - points of a curve.
 */
export function useCurves(
  runs: readonly RunState[],
  most: number
): { curves: ReadonlyMap<string, ICurves>; problem: Problem | null } {
  const { store } = useMlops();
  const [curves, setCurves] = useState<ReadonlyMap<string, ICurves>>(new Map());
  const [problem, setProblem] = useState<Problem | null>(null);
  const known = useRef(curves);
  const asked = useRef(new Map<string, { at: number; over: boolean }>());
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const mounted = useRef(true);
  known.current = curves;
  const changes = useMemo(() => ({ runs }), [runs]);

  useEffect(() => {
    mounted.current = true;
    return () => {
      mounted.current = false;
      clearTimeout(timer.current ?? undefined);
    };
  }, []);

  useEffect(() => {
    const ask = (run: RunState): void => {
      const over = !isRunning(run);
      asked.current.set(run.id, { at: Date.now(), over });
      const since = over ? 0 : (known.current.get(run.id)?.seq ?? 0);
      store.api.curves(run.id, since, most).then(
        view => {
          if (mounted.current) {
            setProblem(null);
            setCurves(old => new Map(old).set(run.id, merge(old.get(run.id) ?? NONE, view)));
          }
        },
        (error: unknown) => mounted.current && setProblem(asProblem(error))
      );
    };
    const look = (): void => {
      let next = Infinity;
      for (const run of changes.runs) {
        const last = asked.current.get(run.id);
        const wait = last ? last.at + PERIOD - Date.now() : 0;
        if (last?.over) {
          continue;
        }
        if (wait <= 0 || !isRunning(run)) {
          ask(run);
        } else {
          next = Math.min(next, wait);
        }
      }
      clearTimeout(timer.current ?? undefined);
      timer.current = next < Infinity ? setTimeout(look, next) : null;
    };
    look();
  }, [changes, most, store]);
  return { curves, problem };
}
