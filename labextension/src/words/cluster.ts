import { TranslationBundle } from '@jupyterlab/translation';

import { ClusterState, Counts, Stop, WorkerState } from '../state/schema';
import { IState } from '../state/state';
import { number } from './number';
import { about } from './time';
import { wordOf } from './word';

/** Workers that answer to the scheduler. */
export function present(counts: Counts): number {
  return counts.idle + counts.busy + counts.retiring;
}

/** Workers that a cluster's groups should have. */
export function wanted(cluster: ClusterState): number {
  return cluster.groups.reduce((sum, group) => sum + group.wanted, 0);
}

/** Workers in words: "6 of 8 workers, 4 busy", "2 of 40 workers, 38 pending". */
export function workers(trans: TranslationBundle, counts: Counts, wanted: number): string {
  const here = present(counts);
  const head =
    here === wanted
      ? trans._n('%2 worker', '%2 workers', here, number(here))
      : trans._n('%3 of %2 worker', '%3 of %2 workers', wanted, number(wanted), number(here));
  const waiting = counts.requested + counts.pending;
  const parts = [
    counts.busy && trans.__('%1 busy', number(counts.busy)),
    counts.starting && trans.__('%1 starting', number(counts.starting)),
    waiting && trans.__('%1 pending', number(waiting)),
    counts.retiring && trans.__('%1 leaving', number(counts.retiring)),
    counts.lost && trans.__('%1 lost', number(counts.lost))
  ];
  return [head, ...parts.filter(Boolean)].join(', ');
}

/** A cluster's phase in a word. */
export function phase(trans: TranslationBundle, value: ClusterState['phase']): string {
  const words: Record<ClusterState['phase'], string> = {
    starting: trans.__('starting'),
    running: trans.__('running'),
    stopping: trans.__('stopping'),
    ended: trans.__('ended'),
    unreachable: trans.__('doesn’t answer')
  };
  return wordOf(words, value);
}

/** A worker's phase in a word. */
export function workerPhase(trans: TranslationBundle, value: WorkerState['phase']): string {
  const words: Record<WorkerState['phase'], string> = {
    requested: trans.__('requested'),
    pending: trans.__('pending'),
    starting: trans.__('starting'),
    idle: trans.__('idle'),
    busy: trans.__('busy'),
    retiring: trans.__('leaving'),
    ended: trans.__('ended'),
    lost: trans.__('lost')
  };
  return wordOf(words, value);
}

/** Where a cluster lives, beside its name: nothing when the name says it already. */
export function placeBeside(
  places: IState['places'],
  cluster: Pick<ClusterState, 'name' | 'place'>
): string {
  const words = places.get(cluster.place)?.title ?? cluster.place;
  const said = cluster.name.replace(/-/g, ' ').toLowerCase();
  return said.startsWith(words.toLowerCase()) ? '' : words;
}

/** When and why a cluster will stop by itself. */
export function willStop(trans: TranslationBundle, stop: Stop, now: number): string {
  const time = about(trans, stop.at - now);
  switch (stop.cause) {
    case 'idle':
      return trans.__('stops in %1 unless used', time);
    case 'budget':
      return trans.__('budget lasts %1 at this rate', time);
    case 'lifetime':
      return trans.__('stops in %1 at the latest', time);
    default:
      return trans.__('stops in %1', time);
  }
}

/** Why a cluster ended. */
export function ended(trans: TranslationBundle, cause: ClusterState['cause']): string {
  switch (cause) {
    case 'user':
      return trans.__('stopped by you');
    case 'idle':
      return trans.__('stopped: nobody used it');
    case 'lifetime':
      return trans.__('stopped: its longest lifetime was over');
    case 'budget':
      return trans.__('stopped: its budget was used up');
    case 'failed':
      return trans.__('failed');
    case 'killed':
      return trans.__('its scheduler was killed');
    case 'machine restarted':
      return trans.__('the machine restarted');
    case 'deleted':
      return trans.__('deleted elsewhere');
    default:
      return trans.__('ended');
  }
}
