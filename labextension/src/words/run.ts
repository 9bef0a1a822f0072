import { TranslationBundle } from '@jupyterlab/translation';

import { RunState } from '../model/schema';

/** A run's phase in a word. */
export function runPhase(trans: TranslationBundle, value: RunState['phase']): string {
  return {
    starting: trans.__('starting'),
    running: trans.__('running'),
    done: trans.__('done'),
    failed: trans.__('failed'),
    cancelled: trans.__('cancelled'),
    lost: trans.__('lost')
  }[value];
}

/** How far a run is, 0 to 1; null while that can't be said. */
export function progress(run: RunState): number | null {
  return run.total ? Math.min(1, (run.done + run.failed) / run.total) : null;
}
