import { closeIcon, LabIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { useMlops } from '../state/hooks';
import { Problem } from '../state/schema';
import { Button } from './button';

const WARNING = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" width="16">
  <path class="jp-mlops-warning" d="M8 1.5 15.2 14H.8L8 1.5Zm-.75 4.75v4h1.5v-4h-1.5Zm0 5v1.5h1.5v-1.5h-1.5Z"/>
</svg>`;

/** What stands before a line that says what is wrong. */
export const warningIcon = new LabIcon({ name: 'jupyter-mlops:warning', svgstr: WARNING });

interface IProblemProps {
  problem: Problem;
  /** Let the user put it away. */
  onDismiss?: () => void;
  children?: React.ReactNode;
}

/** What is wrong, why, and what to do, where it is wrong. */
export function ProblemLine({ problem, onDismiss, children }: IProblemProps): JSX.Element {
  const { trans } = useMlops();
  return (
    <div className="jp-mlops-problem" data-mlops="problem">
      <warningIcon.react tag="span" elementSize="normal" aria-hidden="true" />
      <div className="jp-mlops-problem-words">
        <div className="jp-mlops-problem-what">{problem.what}</div>
        {problem.why && <div className="jp-mlops-problem-why">{problem.why}</div>}
        {problem.todo && <div className="jp-mlops-problem-todo">{problem.todo}</div>}
        {children}
      </div>
      {onDismiss && (
        <Button icon={closeIcon} label={trans.__('Dismiss')} onClick={onDismiss} handle="dismiss" />
      )}
    </div>
  );
}
