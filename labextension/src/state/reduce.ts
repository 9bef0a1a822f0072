import { Changes, Event, Entry, Snapshot, WorkersChange } from './schema';
import { IState } from './state';

/** Lines of a journal, and events of a cluster, that are kept in the browser. */
const MOST_LINES = 5000;

type Change = Changes['changes'][number];

/**
 * The state after a message of the server. What it doesn't touch stays the same object.
 */
export function reduce(state: IState, message: Snapshot | Changes, now: number): IState {
  const { epoch, seq } = message;
  const heard = { ...state, epoch, seq, skew: steadySkew(state, message.now - now) };
  if (message.type === 'snapshot') {
    return settle({
      ...heard,
      loaded: true,
      places: new Map(message.places.map(value => [value.name, value])),
      clusters: new Map(message.clusters.map(value => [value.id, value])),
      runs: new Map(message.runs.map(value => [value.id, value])),
      operations: new Map(message.operations.map(value => [value.id, value])),
      profiles: message.profiles,
      silent: message.silent,
      models: message.models,
      services: message.services,
      schedules: message.schedules
    });
  }
  return settle(message.changes.reduce(change, heard));
}

/** A few hundred milliseconds of the network must not make every "in 14 min" move. */
function steadySkew(state: IState, skew: number): number {
  return state.loaded && Math.abs(skew - state.skew) < 2 ? state.skew : skew;
}

function change(state: IState, change: Change): IState {
  switch (change.noun) {
    case 'place':
      return { ...state, places: put(state.places, change.id, change.value) };
    case 'cluster':
      return { ...state, clusters: put(state.clusters, change.id, change.value) };
    case 'run':
      return {
        ...state,
        runs: put(state.runs, change.id, change.value),
        older: change.value === null ? put(state.older, change.id, null) : state.older
      };
    case 'operation':
      return {
        ...state,
        operations: put(state.operations, change.id, change.value)
      };
    case 'profiles':
      return { ...state, profiles: change.value };
    case 'silent':
      return { ...state, silent: change.value };
    case 'models':
      return { ...state, models: change.value };
    case 'services':
      return { ...state, services: change.value };
    case 'schedules':
      return { ...state, schedules: change.value };
    case 'workers':
      return { ...state, workers: putWorkers(state.workers, change) };
    case 'events':
      return { ...state, events: putLines<Event>(state.events, change) };
    case 'journal':
      return { ...state, journals: putLines<Entry>(state.journals, change) };
    default:
      // A newer server may tell of nouns that this browser doesn't know.
      return state;
  }
}

/** A start that has become a listed cluster is no longer one. */
function settle(state: IState): IState {
  const starts = state.starts.filter(
    start => start.cluster === null || !state.clusters.has(start.cluster)
  );
  return starts.length === state.starts.length ? state : { ...state, starts };
}

/** A copy of `map` in which `id` is `value`, or is missing when that is null. */
export function put<T>(
  map: ReadonlyMap<string, T>,
  id: string,
  value: T | null
): ReadonlyMap<string, T> {
  const copy = new Map(map);
  if (value === null) {
    copy.delete(id);
  } else {
    copy.set(id, value);
  }
  return copy;
}

function putWorkers(
  workers: IState['workers'],
  { id, value, gone, whole }: WorkersChange
): IState['workers'] {
  const copy = new Map(whole ? [] : workers.get(id));
  for (const name of gone) {
    copy.delete(name);
  }
  for (const worker of value) {
    copy.set(worker.name, worker);
  }
  return put(workers, id, copy);
}

/** Lines carry a number that counts up, so that one which comes twice is taken once. */
function putLines<T extends { seq: number }>(
  lines: ReadonlyMap<string, readonly T[]>,
  { id, value, whole }: { id: string; value: readonly T[]; whole: boolean }
): ReadonlyMap<string, readonly T[]> {
  const known = whole ? [] : (lines.get(id) ?? []);
  const last = known.length ? known[known.length - 1].seq : 0;
  const fresh = value.filter(line => line.seq > last);
  return put(lines, id, [...known, ...fresh].slice(-MOST_LINES));
}
