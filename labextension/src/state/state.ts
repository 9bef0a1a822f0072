import {
  ClusterState,
  Entry,
  Event,
  ModelSummary,
  Operation,
  PlaceView,
  Problem,
  ProfileView,
  RunState,
  ScheduleList,
  ServiceState,
  SilentPlace,
  WorkerState
} from './schema';

/**
 * Whether what is shown is live. `gone`: the server hasn't answered since `since`, and what is shown is how it was then.
 * Times are seconds since the epoch.
 */
export interface IConnection {
  phase: 'connecting' | 'live' | 'gone';
  since: number;
  /** When the next try is due. */
  retry: number | null;
  /** Why, when more is known than that there is no answer. */
  problem: Problem | null;
}

/**
 * A start that this browser asked for and that isn't a listed cluster yet.
 */
export interface IStart {
  id: number;
  profile: string;
  title: string;
  created: number;
  /** The id that the server gave it, once it has answered. */
  cluster: string | null;
  problem: Problem | null;
}

/**
 * Everything that is shown. Never changed in place: what hasn't changed stays the same object.
 */
export interface IState {
  connection: IConnection;
  /** Whether a snapshot has come: until then an empty list means nothing. */
  loaded: boolean;
  epoch: string | null;
  seq: number | null;
  /** Seconds to add to this machine's clock to have the server's. */
  skew: number;
  clusters: ReadonlyMap<string, ClusterState>;
  runs: ReadonlyMap<string, RunState>;
  /** Runs of the history that the stream doesn't tell of, once somebody asked for them. */
  older: ReadonlyMap<string, RunState>;
  operations: ReadonlyMap<string, Operation>;
  places: ReadonlyMap<string, PlaceView>;
  profiles: readonly ProfileView[];
  /** The models, by name. */
  models: readonly ModelSummary[];
  /** The services that weren't stopped, by name. */
  services: readonly ServiceState[];
  /** The notebooks that run by themselves, and why there may be more. */
  schedules: ScheduleList;
  /** Places that don't answer: there may be clusters in them that are not listed. */
  silent: readonly SilentPlace[];
  starts: readonly IStart[];
  /** Workers and events of the clusters, and journals of the runs, that are followed. */
  workers: ReadonlyMap<string, ReadonlyMap<string, WorkerState>>;
  events: ReadonlyMap<string, readonly Event[]>;
  journals: ReadonlyMap<string, readonly Entry[]>;
}

/** What can be followed: it is sent only while somebody looks at it. */
export type Followed = 'cluster' | 'run';

/** Before anything is known. */
export const NOTHING: IState = {
  connection: { phase: 'connecting', since: 0, retry: null, problem: null },
  loaded: false,
  epoch: null,
  seq: null,
  skew: 0,
  clusters: new Map(),
  runs: new Map(),
  older: new Map(),
  operations: new Map(),
  places: new Map(),
  profiles: [],
  models: [],
  services: [],
  schedules: { schedules: [], silent: [] },
  silent: [],
  starts: [],
  workers: new Map(),
  events: new Map(),
  journals: new Map()
};

/** Phases of a cluster that the list of cards shows; ended ones are folded away. */
export function isLive(cluster: ClusterState): boolean {
  return cluster.phase !== 'ended';
}

/** Seconds without work after which a cluster is quiet: not between two cells that follow each other. */
const QUIET = 60;
/** Seconds before its end in which a cluster isn't quiet any more. */
const NEAR_END = 120;

/** Whether there is nothing to tell of a cluster: it has what it wants, does nothing, and nothing is wrong. */
export function isQuiet(cluster: ClusterState, now: number): boolean {
  const { counts, stop } = cluster;
  const moving =
    counts.busy + counts.requested + counts.pending + counts.starting + counts.retiring;
  return (
    cluster.phase === 'running' &&
    moving === 0 &&
    counts.lost === 0 &&
    problemsOf(cluster).length === 0 &&
    cluster.idle_since !== null &&
    now - cluster.idle_since > QUIET &&
    (stop === null || stop.at - now > NEAR_END)
  );
}

/** The name in a cluster's id, which is "name.place~uid" or "name.namespace.place~uid". */
export function nameOf(id: string): string {
  return id.split(/[.~]/, 1)[0];
}

/** The id of the cluster that is meant by its id or its name: of one name the last, live ones before all others. */
export function idOf(clusters: IState['clusters'], given: string): string {
  const named = newest(
    [...clusters.values()].filter(cluster => cluster.name === given),
    cluster => cluster.id
  );
  return clusters.has(given) ? given : ((named.find(isLive) ?? named[0])?.id ?? given);
}

/** How a cluster is named in code that people keep: by its name where no other has it, else with its place. */
export function spelled(clusters: IState['clusters'], id: string): string {
  const path = id.split('~', 1)[0];
  const same = [...clusters.keys()].filter(other => other !== id && nameOf(other) === nameOf(id));
  if (same.length === 0) {
    return nameOf(id);
  }
  return same.some(other => other.startsWith(`${path}~`)) ? id : path;
}

/** Whether a run can still be cancelled. */
export function isRunning(run: RunState): boolean {
  return run.phase === 'starting' || run.phase === 'running';
}

/** A run, whether the stream tells of it or the history has it. */
export function runOf(state: IState, id: string): RunState | undefined {
  return state.runs.get(id) ?? state.older.get(id);
}

/** Newest first; the name decides between equals, so that an order never flickers. */
export function newest<T extends { created: number }>(
  values: Iterable<T>,
  name: (value: T) => string
): T[] {
  return [...values].sort((a, b) => b.created - a.created || (name(a) < name(b) ? -1 : 1));
}

/**
 * Whether nothing is known of a cluster but that it is there, because its record can't be read: a cluster has a group
 * at least.
 */
export function isUnreadable(cluster: ClusterState): boolean {
  return cluster.groups.length === 0 && cluster.problem !== null;
}

/** What is wrong with a cluster and with its groups; what several of them share, once. */
export function problemsOf(cluster: ClusterState): Problem[] {
  const found = new Map<string, Problem>();
  for (const { problem } of [cluster, ...cluster.groups]) {
    if (problem && !found.has(problem.what)) {
      found.set(problem.what, problem);
    }
  }
  return [...found.values()];
}
