import React, { useState } from 'react';

import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { asProblem } from '../request';
import { useMlops } from '../state/hooks';
import { Problem, PythonStack, RunState } from '../state/schema';
import { number } from '../words/number';

/** Where the code of a run is, process by process: asked for by a click, and again by another. */
export function Stacks({ run }: { run: RunState }): JSX.Element {
  const { store, trans } = useMlops();
  const [stacks, setStacks] = useState<readonly PythonStack[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const ask = async (): Promise<void> => {
    try {
      setStacks(await store.api.stacks(run.id));
      setProblem(null);
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  const whose = (stack: PythonStack): string =>
    stack.rank === null
      ? stack.worker
      : trans.__('rank %1 on %2', number(stack.rank), stack.worker);
  return (
    <>
      <div className="jp-mlops-actions">
        <Button
          label={trans.__(
            'Show the Python stack of each of its processes, of those that hang, too'
          )}
          onClick={ask}
          handle="stacks"
        >
          {stacks === null ? trans.__('where is it?') : trans.__('where is it now?')}
        </Button>
      </div>
      {problem && <ProblemLine problem={problem} />}
      {stacks !== null && (
        <pre
          className="jp-mlops-prints"
          tabIndex={0}
          aria-label={trans.__('Where its code is')}
          data-mlops="stack-texts"
        >
          {stacks.length === 0
            ? trans.__('None of its processes runs.')
            : stacks.map(each => `${whose(each)}:\n${each.text || each.why}`).join('\n\n')}
        </pre>
      )}
    </>
  );
}
