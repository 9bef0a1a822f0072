import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { CommandIDs } from '../commands';
import { SmallCurves } from '../curve/small';
import { Button } from '../controls/button';
import { Log } from '../controls/log';
import { Sizes } from '../ladder/sizes';
import { isSavable } from '../notebook/code';
import { SweepPart, useSweep } from '../sweep/details';
import { sweepFacts } from '../sweep/facts';
import { useFollow, useMlops, useSelector } from '../state/hooks';
import { Entry, ItemError, RunState } from '../state/schema';
import { isRunning } from '../state/state';
import { projection } from '../words/budget';
import { fineMoney, fineSum, perThousand, source } from '../words/money';
import { number, significant } from '../words/number';
import { itemsOf, partOf, runPhase } from '../words/run';
import { size } from '../words/size';
import { clock, span } from '../words/time';
import { AdviceLines, usedOf } from './advice';
import { Made } from './made';
import { Ranks } from './ranks';
import { Stacks } from './stacks';

/** Errors of items that are listed. */
const MOST_ERRORS = 20;
/** Lines of prints that are drawn. */
const MOST_LINES = 400;

/** What a run did: facts, errors, metrics, prints. */
export function RunDetails({ run }: { run: RunState }): JSX.Element {
  const { commands, store, trans } = useMlops();
  useFollow('run', run.id);
  const journal = useSelector(state => state.journals.get(run.id));
  const tried = useSweep(run);
  const sweeps = run.kind === 'sweep';
  const now = store.now();
  const took = (run.ended ?? now) - run.created;
  const facts: [string, string, string?][] = [
    [trans.__('State'), runPhase(trans, run.phase) + (run.detached ? trans.__(', detached') : '')],
    [trans.__('Cluster'), run.group ? `${run.cluster} · ${run.group}` : run.cluster],
    [trans.__('Started'), clock(run.created, now)],
    ...(isRunning(run) ? [] : ([[trans.__('Took'), span(trans, took)]] as [string, string][])),
    ...(sweeps
      ? sweepFacts(trans, run, tried.sweep, tried.ordered, tried.best)
      : [itemsFact(trans, run)]),
    ...(run.waits ? ([[trans.__('Waits'), run.waits]] as [string, string][]) : []),
    ...saved(trans, run, now),
    ...costs(trans, run),
    ...usedOf(trans, run),
    ...(run.spot_fit
      ? ([[trans.__('Spot'), run.spot_fit.text, run.spot_fit.evidence]] as [
          string,
          string,
          string
        ][])
      : []),
    ...Object.entries(
      sweeps ? run.params : { ...run.params, ...latest(trans, run.metrics) } // the last trial's mean nothing
    ).filter(([name]) => !sweeps || !tried.names.includes(name))
  ];
  return (
    <div className="jp-mlops-run-details" data-mlops="run-details">
      <dl>
        {facts.map(([name, value, title]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd title={title}>{value}</dd>
          </div>
        ))}
      </dl>
      <Made run={run} />
      <AdviceLines advice={run.advice} profile={run.profile} of={{ run: run.id }} />
      <Ranks run={run} />
      {run.kind === 'map' && run.problem === null && <Sizes run={run} />}
      {run.problem === null && Object.keys(run.metrics).length > 0 && (
        <SmallCurves run={run} best={tried.best?.number ?? null} />
      )}
      {sweeps && <SweepPart run={run} shown={tried} />}
      {sweeps && tried.ordered.length > 0 && (
        <div className="jp-mlops-actions">
          <Button
            label={trans.__('Open the trials of %1 in a tab', run.name)}
            onClick={() => commands.execute(CommandIDs.openTrials, { run: run.id })}
            handle="open-trials"
          >
            {trans.__('trials')}
          </Button>
        </div>
      )}
      {run.code && (
        <details className="jp-mlops-fault">
          <summary>{trans.__('Code')}</summary>
          <pre className="jp-mlops-prints" tabIndex={0} data-mlops="code">
            {run.code}
          </pre>
        </details>
      )}
      {run.error && !(sweeps && run.phase === 'done') && (
        <pre className="jp-mlops-error">{run.error}</pre>
      )}
      {run.errors.slice(0, MOST_ERRORS).map(error => (
        <Fault key={error.index} error={error} kind={run.kind} />
      ))}
      {run.errors.length > MOST_ERRORS && (
        <p>{trans.__('and %1 more', run.errors.length - MOST_ERRORS)}</p>
      )}
      {journal && <Prints entries={journal} />}
      {run.problem === null && isRunning(run) && <Stacks run={run} />}
      <div className="jp-mlops-actions">
        <Button
          label={trans.__('Go to the cell that this run came from')}
          disabled={!run.origin.notebook}
          onClick={() => commands.execute(CommandIDs.revealRun, { run: run.id })}
          handle="reveal"
        >
          {trans.__('go to cell')}
        </Button>
        {isSavable(run) && (
          <Button
            label={trans.__('Put the line that saves what it made as a model below its cell')}
            onClick={() => commands.execute(CommandIDs.saveModel, { run: run.id })}
            handle="save-model"
          >
            {trans.__('save as model…')}
          </Button>
        )}
        <Button
          label={trans.__('Save what it printed, its errors and values as a file')}
          onClick={() => void commands.execute(CommandIDs.downloadRun, { run: run.id })}
          handle="download"
        >
          {trans.__('download output')}
        </Button>
        {!isRunning(run) && (
          <Button
            label={trans.__('Remove %1 from the history', run.name)}
            popup="dialog"
            onClick={() => void commands.execute(CommandIDs.forgetRun, { runs: [run.id] })}
            handle="forget-run"
          >
            {trans.__('remove…')}
          </Button>
        )}
      </div>
    </div>
  );
}

function itemsFact(trans: TranslationBundle, run: RunState): [string, string] {
  return [run.kind === 'gang' ? trans.__('Ranks') : trans.__('Items'), itemsOf(run)];
}

/** How often a gang began again, and its last checkpoint. */
function saved(trans: TranslationBundle, run: RunState, now: number): [string, string, string?][] {
  const { attempt, checkpoint } = run;
  const facts: [string, string, string?][] = [];
  if (attempt > 1) {
    facts.push([trans.__('Attempt'), number(attempt)]);
  }
  if (checkpoint) {
    const age = trans.__('%1 ago', span(trans, Math.max(0, Math.floor(now - checkpoint.time))));
    const best = checkpoint.best === null ? '' : significant(checkpoint.best, 5);
    const words = [trans.__('step %1', number(checkpoint.step)), size(checkpoint.size), age, best];
    facts.push([trans.__('Saved'), words.filter(Boolean).join(' · '), run.checkpoints]);
  }
  return facts;
}

function costs(trans: TranslationBundle, run: RunState): [string, string, string][] {
  const unit = perThousand(trans, run);
  const words = fineSum(trans, run.cost);
  const known = unit ? trans.__('%1 (%2)', words, unit) : words;
  const early = projection(trans, run);
  const why =
    run.kind === 'gang'
      ? trans.__('At the pace of its last fifty steps.')
      : trans.__(
          'At what its items so far cost. In four of five cases it lies between the two; it is off by 1.28 / √items.'
        );
  return [
    [trans.__('Cost'), known, source(trans, run.cost)],
    ...(run.to_finish === null || !isRunning(run)
      ? []
      : [
          [
            trans.__('To finish'),
            trans.__('about %1', fineMoney(run.to_finish, run.cost.currency)),
            trans.__('Its steps that are left, at the pace of the last fifty')
          ] as [string, string, string]
        ]),
    ...(early ? [[trans.__('In all'), early, why] as [string, string, string]] : []),
    ...(run.budget ? [[trans.__('Budget'), run.budget, ''] as [string, string, string]] : [])
  ];
}

function latest(trans: TranslationBundle, metrics: RunState['metrics']): Record<string, string> {
  const words = (value: number | null): string =>
    value === null ? trans.__('not a number') : significant(value, 5);
  return Object.fromEntries(Object.entries(metrics).map(([key, value]) => [key, words(value)]));
}

function Fault({ error, kind }: { error: ItemError; kind: RunState['kind'] }): JSX.Element {
  const { trans } = useMlops();
  return (
    <details className="jp-mlops-fault" data-mlops="item-error">
      <summary>
        {partOf(trans, kind, error.index)}
        {error.item && kind !== 'gang' && <code> {error.item}</code>}: {error.error}
      </summary>
      <pre className="jp-mlops-error">{error.traceback || error.error}</pre>
    </details>
  );
}

/** Prints as they come. */
function Prints({ entries }: { entries: readonly Entry[] }): JSX.Element | null {
  const { trans } = useMlops();
  const prints = entries.filter(entry => entry.kind === 'print').slice(-MOST_LINES);
  if (prints.length === 0) {
    return null;
  }
  return (
    <Log
      label={trans.__('What it printed')}
      className="jp-mlops-prints"
      handle="prints"
      seen={entries}
    >
      {prints.map(entry => (
        <span
          key={entry.seq}
          className={entry.stream === 'stderr' ? 'jp-mod-stderr' : undefined}
          title={entry.worker}
        >
          {entry.text.endsWith('\n') ? entry.text : entry.text + '\n'}
        </span>
      ))}
    </Log>
  );
}
