import { TranslationBundle } from '@jupyterlab/translation';

import { RunState } from '../state/schema';
import { isRunning } from '../state/state';
import { number } from './number';
import { best, trialsOf, tried } from './sweep';
import { left, span } from './time';
import { wordOf } from './word';

/** A run's phase in a word. */
export function runPhase(trans: TranslationBundle, value: RunState['phase']): string {
  const words: Record<RunState['phase'], string> = {
    starting: trans.__('starting'),
    running: trans.__('running'),
    done: trans.__('done'),
    failed: trans.__('failed'),
    cancelled: trans.__('cancelled'),
    lost: trans.__('lost')
  };
  return wordOf(words, value);
}

/** How many items are done, of how many, and how many failed: "61 / 100 (2 ✗)". */
export function itemsOf(run: RunState): string {
  const done = number(run.done);
  const total = run.total === null ? done : `${done} / ${number(run.total)}`;
  return run.failed ? `${total} (${number(run.failed)} ✗)` : total;
}

/** What of a run an error is of: "item 12", "rank 1", "trial 3". */
export function partOf(trans: TranslationBundle, kind: RunState['kind'], index: number): string {
  return kind === 'gang'
    ? trans.__('rank %1', number(index))
    : kind === 'sweep'
      ? trans.__('trial %1', number(index))
      : trans.__('item %1', number(index));
}

/** How far a run is, 0 to 1; null while that can't be said. The ranks of a gang end at once. */
export function progress(run: RunState): number | null {
  return run.total && run.kind !== 'gang' ? Math.min(1, tried(run) / run.total) : null;
}

/** A run in a few words: how far it is; or how long it took; or why it failed. */
export function summary(trans: TranslationBundle, run: RunState, now: number): string {
  if (isRunning(run)) {
    return liveSummary(trans, run, now);
  }
  const [first] = run.errors;
  const fault = first && `${partOf(trans, run.kind, first.index)}: ${first.error}`;
  if (run.phase === 'failed' || run.phase === 'lost') {
    return fault ?? (lastLine(run.error) || runPhase(trans, run.phase));
  }
  const took = span(trans, (run.ended ?? run.created) - run.created);
  if (run.kind === 'sweep') {
    const word = run.phase === 'done' ? '' : runPhase(trans, run.phase);
    return [word, best(trans, run), trialsOf(trans, run, false), took].filter(Boolean).join(' · ');
  }
  const faults = run.failed ? trans.__('%1 failed', number(run.failed)) : '';
  const word = run.phase === 'done' ? '' : runPhase(trans, run.phase);
  return [word, took, faults, fault].filter(Boolean).join(' · ');
}

function liveSummary(trans: TranslationBundle, run: RunState, now: number): string {
  if (run.phase === 'starting') {
    return runPhase(trans, run.phase);
  }
  const share = progress(run);
  const far =
    run.kind === 'gang'
      ? ranks(trans, run)
      : run.kind === 'sweep'
        ? [trialsOf(trans, run, true), best(trans, run)].filter(Boolean).join(' · ')
        : share !== null
          ? trans.__('%1 %', Math.floor(share * 100))
          : run.done > 0
            ? trans._n('%2 item', '%2 items', run.done, number(run.done))
            : runPhase(trans, run.phase);
  const time =
    run.left !== null
      ? trans.__('%1 left', left(trans, run.left))
      : span(trans, Math.max(0, Math.floor(now - run.created)));
  return `${far} · ${time}`;
}

/** How many ranks a gang has, and what it has saved: "4 ranks · step 1,200 saved". */
function ranks(trans: TranslationBundle, run: RunState): string {
  const all = trans._n('%2 rank', '%2 ranks', run.total ?? 0, number(run.total ?? 0));
  const saved = run.checkpoint && trans.__('step %1 saved', number(run.checkpoint.step));
  return [all, saved].filter(Boolean).join(' · ');
}

/** The line of a traceback that says what it was. */
function lastLine(text: string): string {
  const lines = text.trim().split('\n');
  return lines[lines.length - 1];
}
