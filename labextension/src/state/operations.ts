import { useState } from 'react';

import { useSelector } from './hooks';
import { Operation, Problem } from './schema';
import { IState } from './state';

/** The last thing that was asked of a cluster or a run; null when nothing was. */
export function useOperation(subject: string): Operation | null {
  return useSelector(state => lastOperation(state, subject));
}

/** The last thing that was asked of a cluster or a run, when it failed and nobody has put it away. */
export function useFailure(subject: string): { problem: Problem; dismiss: () => void } | null {
  const [dismissed, setDismissed] = useState('');
  const operation = useOperation(subject);
  const shown =
    operation?.phase === 'failed' && operation.problem && operation.id !== dismissed
      ? operation
      : null;
  return shown && { problem: shown.problem!, dismiss: () => setDismissed(shown.id) };
}

function lastOperation(state: IState, subject: string): Operation | null {
  let last: Operation | null = null;
  for (const operation of state.operations.values()) {
    if (operation.subject === subject && (last === null || operation.created > last.created)) {
      last = operation;
    }
  }
  return last;
}
