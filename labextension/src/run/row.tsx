import { closeIcon, refreshIcon } from '@jupyterlab/ui-components';
import React, { memo, useState } from 'react';

import { CommandIDs } from '../commands';
import { LiveCurve } from '../curve/small';
import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { asProblem } from '../request';
import { useMlops, useNow } from '../state/hooks';
import { useFailure, useOperation } from '../state/operations';
import { Problem, RunState } from '../state/schema';
import { isRunning } from '../state/state';
import { brief, perThousand, source } from '../words/money';
import { progress, runPhase, summary } from '../words/run';
import { RunDetails } from './details';

const MARKS = {
  starting: '◌',
  running: '▶',
  done: '✓',
  partly: '!',
  failed: '✗',
  cancelled: '⊘',
  lost: '✗'
};

/** A run in a line; opened, all there is to know about it. */
export const Row = memo(function Row({ run }: { run: RunState }): JSX.Element {
  const { commands, trans } = useMlops();
  const [open, setOpen] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [asked, setAsked] = useState<string | null>(null);
  const live = isRunning(run);
  const share = progress(run);
  const mark = run.phase === 'done' && run.failed > 0 ? 'partly' : run.phase;
  const now = useNow(1, live && run.total === null);
  const words = summary(trans, run, now);
  const operation = useOperation(run.id);
  const failed = useFailure(run.id);
  const doing = asked ?? (operation?.phase === 'running' ? operation.kind : null);
  const execute = async (kind: 'cancel' | 'again', command: string): Promise<void> => {
    setProblem(null);
    setAsked(kind);
    try {
      await commands.execute(command, { run: run.id });
    } catch (error) {
      setProblem(asProblem(error));
    }
    setAsked(null);
  };
  return (
    <li
      className="jp-mlops-run"
      data-mlops="run"
      data-id={run.id}
      data-name={run.name}
      data-phase={run.phase}
    >
      <div className="jp-mlops-row">
        <button
          type="button"
          className="jp-mlops-name"
          aria-expanded={open}
          title={[run.name, ...run.code.trim().split('\n').slice(0, 8)].join('\n')}
          onClick={() => setOpen(!open)}
          data-mlops="run-open"
        >
          <span className="jp-mlops-mark" data-phase={mark} aria-hidden="true">
            {MARKS[mark]}
          </span>
          {run.name}
          <span className="jp-mlops-hidden">, {runPhase(trans, run.phase)}</span>
        </button>
        <span className="jp-mlops-info" title={words} data-mlops="run-info">
          {words}
        </span>
        <span
          className="jp-mlops-money"
          title={[perThousand(trans, run), source(trans, run.cost)].filter(Boolean).join('\n')}
        >
          {run.cost.amount !== null && brief(trans, run.cost)}
        </span>
        {live ? (
          <Button
            icon={closeIcon}
            label={trans.__('Cancel %1', run.name)}
            busy={doing !== null}
            onClick={() => execute('cancel', CommandIDs.cancelRun)}
            handle="cancel"
          />
        ) : (
          <Button
            icon={refreshIcon}
            label={
              run.repeatable
                ? trans.__('Run %1 again', run.name)
                : run.kind === 'sweep'
                  ? trans.__('A sweep is run again by running its cell again')
                  : trans.__('Can’t be run again: its input was not kept')
            }
            disabled={!run.repeatable}
            busy={doing !== null}
            onClick={() => execute('again', CommandIDs.repeatRun)}
            handle="again"
          />
        )}
      </div>
      {live && (
        <div
          className={`jp-mlops-progress${share === null ? ' jp-mod-unknown' : ''}`}
          role="progressbar"
          aria-label={trans.__('Progress of %1', run.name)}
          aria-valuenow={share === null ? undefined : Math.round(share * 100)}
          aria-valuemin={0}
          aria-valuemax={100}
        >
          <span style={{ transform: `scaleX(${share ?? 1})` }} />
        </div>
      )}
      {live && !open && Object.keys(run.metrics).length > 0 && <LiveCurve run={run} />}
      {(doing === 'again' || doing === 'cancel') && (
        <p className="jp-mlops-doing" role="status" data-mlops="run-doing">
          {doing === 'again' ? trans.__('Sent again…') : trans.__('Cancelling…')}
        </p>
      )}
      {failed && <ProblemLine problem={failed.problem} onDismiss={failed.dismiss} />}
      {problem && <ProblemLine problem={problem} onDismiss={() => setProblem(null)} />}
      {open && <RunDetails run={run} />}
    </li>
  );
});
