import { useEffect, useState } from 'react';

import { asProblem } from '../request';
import { useMlops } from '../state/hooks';
import { Problem } from '../state/schema';

/** Something that was asked of the server for a view. */
export interface IFetched<T> {
  value: T | null;
  problem: Problem | null;
}

/**
 * Ask the server when a view appears, and again when `key` changes.
 *
 * @param key - names what is asked for: the answer to an older question is dropped.
 */
export function useFetched<T>(key: string, ask: () => Promise<T>): IFetched<T> {
  const [fetched, setFetched] = useState<IFetched<T>>({ value: null, problem: null });
  useEffect(() => {
    let current = true;
    ask().then(
      value => current && setFetched({ value, problem: null }),
      error => current && setFetched(old => ({ ...old, problem: asProblem(error) }))
    );
    return () => {
      current = false;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `key` stands for what `ask` closes over
  }, [key]);
  return fetched;
}

/** How often something is to have been looked at by now: once more every `period` milliseconds in which it can be seen. */
export function useLooks(period: number): number {
  const { gate } = useMlops();
  const [looks, setLooks] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => {
      if (gate.open) {
        setLooks(number => number + 1);
      }
    }, period);
    return () => clearInterval(timer);
  }, [gate, period]);
  return looks;
}
