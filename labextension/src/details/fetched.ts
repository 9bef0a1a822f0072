import { useEffect, useState } from 'react';

import { asProblem } from '../request';
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
