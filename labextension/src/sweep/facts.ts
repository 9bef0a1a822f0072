import { TranslationBundle } from '@jupyterlab/translation';

import { RunState, SweepOptions, Trial } from '../state/schema';
import { isRunning } from '../state/state';
import { exactMoney, fineMoney } from '../words/money';
import { number, significant } from '../words/number';
import { settingsOf, trialPhase, tried } from '../words/sweep';
import { span } from '../words/time';

/** A line of what is known: its name, its words, and where these come from. */
export type Fact = [string, string, string?];

const PHASES: readonly Trial['phase'][] = ['done', 'pruned', 'failed', 'running', 'stopped'];

/** What became of a sweep's trials so far: how many there are of each kind, the best one, and where it ends. */
export function sweepFacts(
  trans: TranslationBundle,
  run: RunState,
  sweep: SweepOptions | null,
  trials: readonly Trial[],
  best: Trial | null
): Fact[] {
  const live = isRunning(run);
  const counts = PHASES.map(
    phase => [phase, trials.filter(trial => trial.phase === phase).length] as const
  )
    .filter(([, count]) => count > 0)
    .map(([phase, count]) => `${number(count)} ${trialPhase(trans, phase)}`);
  const known = run.metrics.best;
  const value = best?.value ?? (typeof known === 'number' ? known : null);
  const words = value === null ? '' : significant(value, 5);
  const over = number(tried(run));
  const far = live && run.total !== null ? trans.__('%1 of %2', over, number(run.total)) : over;
  const found: Fact[] = [[trans.__('Trials'), [far, counts.join(', ')].filter(Boolean).join(': ')]];
  if (value !== null) {
    const whose = best ? trans.__('%1, trial %2', words, number(best.number)) : words;
    found.push([sweep?.metric ? trans.__('Best %1', sweep.metric) : trans.__('Best'), whose]);
  }
  if (best) {
    found.push([trans.__('With'), settingsOf(best)]);
  }
  const { gang } = run.options;
  if (typeof gang === 'number') {
    const on = trans._n('a gang on %2 worker', 'a gang on %2 workers', gang, number(gang));
    found.push([trans.__('Each trial'), on]);
  }
  const ends = limits(trans, run, sweep);
  if (ends) {
    found.push([trans.__('Limit'), ends]);
  }
  if (run.phase === 'done' && run.error) {
    found.push([trans.__('Stopped'), run.error]);
  }
  return found;
}

/** The money and the time that a sweep may take, and what its earlier runs have spent of the money. */
function limits(trans: TranslationBundle, run: RunState, sweep: SweepOptions | null): string {
  const { currency, amount } = run.cost;
  const money = sweep?.budget ?? null;
  const spent = (sweep?.spent ?? 0) + (amount ?? 0);
  const share = money ? trans.__('%1 %', number((100 * spent) / money)) : '';
  return [
    money === null
      ? ''
      : trans.__(
          '%1, of which %2 (%3) is spent',
          exactMoney(money, currency),
          fineMoney(spent, currency),
          share
        ),
    sweep?.time ? span(trans, sweep.time) : ''
  ]
    .filter(Boolean)
    .join(' · ');
}
