import { closeIcon, refreshIcon } from '@jupyterlab/ui-components';
import { TranslationBundle } from '@jupyterlab/translation';
import React, { memo, useState } from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { useMlops, useNow } from '../model/hooks';
import { Problem, RunState } from '../model/schema';
import { isRunning } from '../model/state';
import { asProblem } from '../request';
import { money, source } from '../words/money';
import { progress, runPhase } from '../words/run';
import { left, span } from '../words/time';
import { RunDetails } from './details';

const MARKS: Record<RunState['phase'], string> = {
  starting: '◌',
  running: '▶',
  done: '✓',
  failed: '✗',
  cancelled: '⊘',
  lost: '✗'
};

/** A run in a line; opened, all there is to know about it. */
export const Row = memo(function Row({ run }: { run: RunState }): JSX.Element {
  const { commands, trans } = useMlops();
  const [open, setOpen] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const live = isRunning(run);
  const share = progress(run);
  const now = useNow(1, live && run.total === null);
  const execute = async (command: string): Promise<void> => {
    setProblem(null);
    try {
      await commands.execute(command, { run: run.id });
    } catch (error) {
      setProblem(asProblem(error));
    }
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
          title={run.name}
          onClick={() => setOpen(!open)}
          data-mlops="run-open"
        >
          <span className="jp-mlops-mark" data-phase={run.phase} aria-hidden="true">
            {MARKS[run.phase]}
          </span>
          {run.name}
          <span className="jp-mlops-hidden">, {runPhase(trans, run.phase)}</span>
        </button>
        <span className="jp-mlops-info" title={run.error || undefined} data-mlops="run-info">
          {summary(trans, run, now)}
        </span>
        <span className="jp-mlops-money" title={source(trans, run.cost)}>
          {run.cost.amount !== null && money(trans, run.cost.amount, run.cost.currency)}
        </span>
        {live ? (
          <Button
            icon={closeIcon}
            label={trans.__('Cancel %1', run.name)}
            onClick={() => void execute(CommandIDs.cancelRun)}
            handle="cancel"
          />
        ) : (
          <Button
            icon={refreshIcon}
            label={
              run.repeatable
                ? trans.__('Run %1 again', run.name)
                : trans.__('Can’t be run again: its input was not kept')
            }
            disabled={!run.repeatable}
            onClick={() => void execute(CommandIDs.repeatRun)}
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
      {problem && <ProblemLine problem={problem} onDismiss={() => setProblem(null)} />}
      {open && <RunDetails run={run} />}
    </li>
  );
});

/** How far a live run is; how long, or why not, an ended one took. */
export function summary(trans: TranslationBundle, run: RunState, now: number): string {
  if (isRunning(run)) {
    const share = progress(run);
    const far =
      share !== null
        ? trans.__('%1 %', Math.floor(share * 100))
        : run.done > 0
          ? trans._n('%1 item', '%1 items', run.done)
          : runPhase(trans, run.phase);
    const time =
      run.left !== null
        ? trans.__('%1 left', left(trans, run.left))
        : span(trans, now - run.created);
    return run.phase === 'starting' ? far : `${far} · ${time}`;
  }
  if (run.phase === 'failed' || run.phase === 'lost') {
    const [first] = run.errors;
    return first
      ? trans.__('item %1: %2', first.index.toLocaleString(), first.error)
      : lastLine(run.error) || runPhase(trans, run.phase);
  }
  const took = span(trans, (run.ended ?? run.created) - run.created);
  const faults = run.failed ? trans.__('%1 failed', run.failed) : '';
  const word = run.phase === 'cancelled' ? runPhase(trans, run.phase) : '';
  return [word, took, faults].filter(Boolean).join(' · ');
}

/** The line of a traceback that says what it was. */
function lastLine(text: string): string {
  const lines = text.trim().split('\n');
  return lines[lines.length - 1];
}
