import { TranslationBundle } from '@jupyterlab/translation';

import { Entry, RunState, Trial } from '../state/schema';
import { isRunning } from '../state/state';
import { argumentsOf } from '../sweep/order';
import { fineSum } from '../words/money';
import { itemsOf, partOf, runPhase } from '../words/run';
import { best, trialsOf } from '../words/sweep';
import { span } from '../words/time';

/** All that a run wrote, and what it was, as a text for people and for `grep`. */
export function outputOf(
  trans: TranslationBundle,
  run: RunState,
  entries: readonly Entry[],
  trials: readonly Trial[],
  now: number
): string {
  const facts = [
    run.name,
    [
      runPhase(trans, run.phase),
      trans.__('on %1', run.cluster),
      new Date(run.created * 1000).toISOString(),
      span(trans, (run.ended ?? now) - run.created),
      run.kind === 'sweep'
        ? [trialsOf(trans, run, isRunning(run)), best(trans, run)].filter(Boolean).join(', ')
        : trans.__('%1 items', itemsOf(run)),
      fineSum(trans, run.cost)
    ].join(' · '),
    run.origin.notebook
  ];
  const prints = entries
    .filter(entry => entry.kind === 'print')
    .map(entry => (entry.text.endsWith('\n') ? entry.text : `${entry.text}\n`));
  const values = Object.entries({ ...run.params, ...run.metrics });
  const errors = run.errors.map(
    ({ index, item, error, traceback }) =>
      `${partOf(trans, run.kind, index)} ${item}: ${error}\n${traceback}`
  );
  return [
    facts.filter(Boolean).join('\n'),
    part(trans.__('Code'), run.code),
    part(trans.__('Output'), prints.join('')),
    part(
      trans.__('Values'),
      values.map(([name, value]) => `${name}: ${value ?? 'nan'}`).join('\n')
    ),
    part(trans.__('Trials'), tableOf(trials)),
    part(trans.__('Errors'), [run.error, ...errors].filter(Boolean).join('\n\n')),
    part(trans.__('Result, in a notebook'), resultOf(run))
  ]
    .filter(Boolean)
    .join('\n\n')
    .concat('\n');
}

/** The trials as a table, its cells between tabs, so that spreadsheets and pandas read it. */
function tableOf(trials: readonly Trial[]): string {
  const names = argumentsOf(null, trials);
  const metrics = [...new Set(trials.flatMap(trial => Object.keys(trial.metrics)))];
  const rows = trials.map(trial => [
    trial.number,
    trial.value,
    ...names.map(name => trial.params[name]),
    ...metrics.map(name => trial.metrics[name]),
    trial.phase,
    trial.ended === null ? '' : (trial.ended - trial.began).toFixed(2),
    trial.error
  ]);
  const head = ['trial', 'value', ...names, ...metrics, 'phase', 'seconds', 'error'];
  return rows.length
    ? [head, ...rows]
        .map(row => row.map(cell => String(cell ?? '').replace(/\s+/g, ' ')).join('\t'))
        .join('\n')
    : '';
}

/** The code that gives its result, where one is kept. It is made of the user's own classes, which no browser can read. */
function resultOf(run: RunState): string {
  return run.detached && run.phase === 'done'
    ? `import jupyter_mlops as mlops\nmlops.get_run('${run.id}').result()`
    : '';
}

function part(title: string, text: string): string {
  return text.trim() ? `── ${title} ──\n${text.replace(/\s+$/, '')}` : '';
}

/** The name of its file: the run's, as far as a file can be called so, and its id. */
export function fileOf(run: RunState): string {
  const name = run.name.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '');
  return `${name ? `${name}-` : ''}${run.id}.txt`;
}

/** Give the browser a text, or something else, as a file. */
export function download(name: string, content: string | Blob): void {
  const text = { type: 'text/plain;charset=utf-8' };
  const blob = typeof content === 'string' ? new Blob([content], text) : content;
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has to have begun to read.
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
