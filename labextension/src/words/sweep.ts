import { TranslationBundle } from '@jupyterlab/translation';

import { RunState, Trial } from '../state/schema';
import { number, significant } from './number';
import { wordOf } from './word';

/** A trial's phase in words. */
export function trialPhase(trans: TranslationBundle, value: Trial['phase']): string {
  const words: Record<Trial['phase'], string> = {
    running: trans.__('under way'),
    done: trans.__('done'),
    pruned: trans.__('pruned'),
    failed: trans.__('failed'),
    stopped: trans.__('stopped')
  };
  return wordOf(words, value);
}

/** What a trial was given, as the notebook writes it: "0.00312", "1.5e-05", "relu", "True". */
export function given(value: unknown): string {
  return typeof value === 'number'
    ? short(value)
    : typeof value === 'boolean'
      ? value
        ? 'True'
        : 'False'
      : value === null || value === undefined
        ? 'None'
        : String(value);
}

function short(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e9) || !Number.isFinite(value)) {
    return significant(value, 4);
  }
  const [digits, power] = value.toExponential(3).split('e');
  return `${Number(digits)}e${power.replace(/\b\d$/, '0$&')}`;
}

/** A trial's arguments in a line: "lr 0.00312, act relu". */
export function settingsOf(trial: Trial): string {
  return Object.entries(trial.params)
    .map(([name, value]) => `${name} ${given(value)}`)
    .join(', ');
}

/** How many trials of a sweep are over, those of its earlier runs included. */
export function tried(run: RunState): number {
  const { known } = run.options;
  return run.done + run.failed + (typeof known === 'number' ? known : 0);
}

/** How far a sweep is: "37 of 100 trials". */
export function trialsOf(trans: TranslationBundle, run: RunState, live: boolean): string {
  const over = tried(run);
  return live && run.total !== null
    ? trans.__('%1 of %2 trials', number(over), number(run.total))
    : trans._n('%2 trial', '%2 trials', over, number(over));
}

/** The best value of a sweep so far: "best 0.981"; empty while there is none. */
export function best(trans: TranslationBundle, run: RunState): string {
  const { best } = run.metrics;
  return typeof best === 'number' ? trans.__('best %1', significant(best, 4)) : '';
}
