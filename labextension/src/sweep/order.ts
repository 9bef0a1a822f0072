import { RunState, SweepOptions, Trial } from '../state/schema';
import { isRunning } from '../state/state';

/** Trials whose sweep is over don't go on: it was killed before it could say what became of them. */
export function ended(run: RunState, trials: Iterable<Trial>): Trial[] {
  const live = isRunning(run);
  return [...trials].map(trial =>
    trial.phase === 'running' && !live ? { ...trial, phase: 'stopped' } : trial
  );
}

/** Those that came to their end, the best ones first and the earlier of two equals; then the others. */
export function inOrder(trials: readonly Trial[], goal: SweepOptions['goal']): Trial[] {
  const sign = goal === 'max' ? -1 : 1;
  const rank = (trial: Trial): number =>
    trial.phase === 'done' && trial.value !== null ? 0 : trial.value !== null ? 1 : 2;
  return [...trials].sort(
    (one, other) =>
      rank(one) - rank(other) ||
      sign * ((one.value ?? 0) - (other.value ?? 0)) ||
      one.number - other.number
  );
}

/** The best one that came to its end. */
export function bestOf(trials: readonly Trial[], goal: SweepOptions['goal']): Trial | null {
  const [first] = inOrder(trials, goal);
  return first?.phase === 'done' && first.value !== null ? first : null;
}

/** The arguments that the trials have, as the space names them, and those that it doesn't name. */
export function argumentsOf(sweep: SweepOptions | null, trials: readonly Trial[]): string[] {
  const names = new Set(Object.keys(sweep?.space ?? {}));
  trials.forEach(trial => Object.keys(trial.params).forEach(name => names.add(name)));
  return [...names];
}
