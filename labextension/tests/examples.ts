import {
  Budget,
  CandidateState,
  ClusterState,
  Counts,
  Cost,
  Entry,
  Estimate,
  GroupState,
  Operation,
  PlaceView,
  Profile,
  ProfileView,
  RunState,
  Retraining,
  ScheduleView,
  ServiceState,
  Settings,
  Snapshot,
  Usage,
  Waste,
  WorkerState
} from '../src/state/schema';

/** What the server sends, with what a test says in it. */

export const NOW = 1_800_000_000;

export function usage(part: Partial<Usage> = {}): Usage {
  return { worker_hours: 0, cpu_hours: 0, gb_hours: 0, gpu_hours: 0, ...part };
}

export function cost(part: Partial<Cost> = {}): Cost {
  return {
    amount: 0.42,
    per_hour: 1.2,
    unpriced: 0,
    currency: 'USD',
    source: 'your settings',
    date: '2026-11-21',
    usage: usage({ worker_hours: 1, cpu_hours: 1, gb_hours: 2 }),
    unknown: usage(),
    unknown_now: usage(),
    dedicated: null,
    ...part
  };
}

export function counts(part: Partial<Counts> = {}): Counts {
  const none = { requested: 0, pending: 0, starting: 0, idle: 0, busy: 0, retiring: 0, lost: 0 };
  return { ...none, ...part };
}

export function group(part: Partial<GroupState> = {}): GroupState {
  return {
    name: 'default',
    cpus: 1,
    memory: 2e9,
    gpus: 0,
    spot: false,
    minimum: 0,
    maximum: 16,
    adaptive: false,
    wanted: 8,
    counts: counts({ idle: 2, busy: 4 }),
    cost: cost(),
    problem: null,
    spot_break: null,
    ...part
  };
}

export function cluster(part: Partial<ClusterState> = {}): ClusterState {
  return {
    format: 1,
    id: idOf(part.name, part.place),
    name: 'flights',
    place: 'local',
    namespace: '',
    uid: '',
    profile: 'this-machine',
    owner: 'ada',
    mine: (part.maker ?? 'jupyter-mlops') === 'jupyter-mlops',
    maker: 'jupyter-mlops',
    phase: 'running',
    created: NOW - 600,
    started: NOW - 598,
    ended: null,
    cause: null,
    groups: [group()],
    counts: counts({ idle: 2, busy: 4 }),
    work: { queued: 0, processing: 0, done: 0, erred: 0 },
    cpu: 4,
    cpus: 6,
    memory_used: 6e8,
    memory: 12e9,
    cost: cost(),
    limits: {
      idle_timeout: 1200,
      lifetime: 86400,
      budget: null,
      unknown_price: 'assume',
      restarts: 10
    },
    budget: null,
    account: null,
    reference: null,
    idle_since: null,
    stop: null,
    problem: null,
    unreadable: false,
    waste: [],
    advice: [],
    spend: null,
    timeline: [],
    runs: [],
    commands: ['scale', 'let_go', 'adapt', 'limit', 'stop', 'run'],
    ...part
  };
}

export function waste(part: Partial<Waste> = {}): Waste {
  return {
    kind: 'idle',
    group: 'default',
    workers: 7,
    of: 40,
    seconds: 720,
    amount: 0.84,
    per_hour: 4.2,
    currency: 'USD',
    source: 'your settings',
    spare: 0,
    names: ['small-1', 'small-2'],
    ...part
  };
}

export function budget(part: Partial<Budget> = {}): Budget {
  return {
    limit: 20,
    spent: 4,
    assumed: 0,
    per_hour: 2,
    projected: 0,
    currency: 'USD',
    step: 'fine',
    until: NOW + 8 * 3600,
    unbounded: false,
    ...part
  };
}

export function run(part: Partial<RunState> = {}): RunState {
  return {
    format: 1,
    id: 'aaaaaaaaaaaa',
    name: 'clean flights',
    kind: 'map',
    cluster: 'flights',
    cluster_id: idOf(),
    group: null,
    owner: 'ada',
    phase: 'running',
    created: NOW - 60,
    ended: null,
    code: '',
    options: {},
    variables: [],
    versions: {},
    origin: { notebook: 'work/flights.ipynb', cell: 'c1', kernel: 'k1', number: 12 },
    detached: false,
    shape: { default: 6 },
    total: 100,
    done: 61,
    failed: 0,
    rows: 0,
    left: 40,
    busy: 10,
    cost: cost({ amount: 0.03, per_hour: null }),
    projection: null,
    budget: '',
    error: '',
    errors: [],
    metrics: {},
    params: {},
    problem: null,
    ladder: null,
    repeatable: true,
    kept: false,
    digest: '',
    attempt: 0,
    checkpoint: null,
    checkpoints: '',
    profile: 'this-machine',
    use: [],
    whereabouts: null,
    ranks: [],
    to_finish: null,
    advice: [],
    spot_fit: null,
    waits: '',
    ...part
  };
}

export function worker(part: Partial<WorkerState> = {}): WorkerState {
  return {
    name: 'default-1',
    group: 'default',
    phase: 'idle',
    address: 'tls://127.0.0.1:1',
    host: 'here',
    pid: 1,
    since: NOW,
    cpu: 0.5,
    memory_used: 1e8,
    memory: 2e9,
    threads: 1,
    processing: 0,
    done: 3,
    waste: null,
    problem: null,
    ...part
  };
}

export function entry(seq: number, text: string): Entry {
  return {
    seq,
    time: NOW,
    kind: 'print',
    text,
    stream: 'stdout',
    worker: 'default-1',
    key: '',
    value: null,
    step: null
  };
}

export function operation(part: Partial<Operation> = {}): Operation {
  return {
    id: 'o1',
    kind: 'scale',
    subject: idOf(),
    phase: 'running',
    progress: null,
    created: NOW,
    ended: null,
    text: '',
    problem: null,
    result: '',
    ...part
  };
}

export function service(part: Partial<ServiceState> = {}): ServiceState {
  return {
    format: 1,
    name: 'churn',
    model: 'churn',
    version: 3,
    coming: 0,
    owner: 'ada',
    place: 'local',
    phase: 'ready',
    created: NOW,
    since: NOW,
    address: 'http://127.0.0.1:8001',
    revision: 'a',
    wanted: 'a',
    retraining: null,
    hint: '',
    unkept: null,
    replicas: [],
    requests: 0,
    errors: 0,
    rate: 0,
    cost: null,
    problem: null,
    alarm: null,
    candidate: null,
    previous: 0,
    ...part
  };
}

export function schedule(part: Partial<ScheduleView> = {}): ScheduleView {
  return {
    id: 'abc',
    notebook: '/home/ada/by night/late.ipynb',
    path: 'by night/late.ipynb',
    every: '1 day at 02:00',
    created: NOW,
    place: 'local',
    where: '',
    profile: '',
    cluster: null,
    zone: 'Europe/Berlin',
    next: NOW + 3600,
    phase: 'done',
    began: NOW - 120,
    ended: NOW - 60,
    said: '',
    suspended: false,
    problem: null,
    ...part
  };
}

export function candidate(part: Partial<CandidateState> = {}): CandidateState {
  return {
    version: 4,
    way: 'canary',
    phase: 'trying',
    share: 0.25,
    paused: false,
    steps: [0.05, 0.25, 0.5],
    since: NOW,
    requests: 120,
    errors: 0,
    rate: 1,
    dropped: 0,
    words: 'canary 25 %: undecided, about 3 h',
    verdicts: [],
    problem: null,
    ...part
  };
}

export function retraining(part: Partial<Retraining> = {}): Retraining {
  return {
    format: 1,
    service: 'churn',
    model: 'churn',
    phase: 'running',
    notebook: '/home/ada/train.ipynb',
    program: '',
    by: { name: 'ada', how: 'sidebar' },
    why: '',
    began: NOW,
    ended: null,
    step: 'train',
    served: 3,
    newest: 3,
    version: 0,
    problem: null,
    log: '/home/ada/retraining.log',
    words: 'retraining since 14:05: step train',
    ...part
  };
}

export function estimate(part: Partial<Estimate> = {}): Estimate {
  return {
    at_start: 1.2,
    at_most: 2.4,
    most: 57.6,
    currency: 'USD',
    source: 'your settings',
    cpus: 8,
    memory_gb: 16,
    date: '',
    asked: null,
    whole: null,
    tail: null,
    reference: null,
    doubts: [],
    ...part
  };
}

export function profile(part: Partial<Profile> = {}): Profile {
  return {
    name: 'this-machine',
    title: 'This machine',
    description: '',
    place: 'local',
    groups: [
      {
        name: 'default',
        cpus: 1,
        memory: 2 * 1024 ** 3,
        gpus: 0,
        spot: false,
        base: 0,
        workers: 8,
        minimum: 0,
        maximum: 16,
        adaptive: false,
        options: {},
        before: null
      }
    ],
    environment: {},
    options: {},
    promise: null,
    limits: {
      idle_timeout: 1200,
      lifetime: 86400,
      budget: null,
      unknown_price: 'assume',
      restarts: 10
    },
    price: null,
    source: 'shipped',
    ...part
  };
}

export function view(part: Partial<ProfileView> = {}): ProfileView {
  return { profile: profile(), estimate: estimate(), last_used: null, note: '', ...part };
}

/** As a server with what comes with the package tells them. */
export const PLACES: PlaceView[] = [
  {
    name: 'local',
    title: 'this machine',
    has_spot: false,
    has_services: false,
    has_schedules: true,
    zone: 'Europe/Berlin'
  },
  {
    name: 'kubernetes',
    title: 'Kubernetes',
    has_spot: true,
    has_services: true,
    has_schedules: true,
    zone: ''
  }
];

export function snapshot(part: Partial<Snapshot> = {}): Snapshot {
  return {
    type: 'snapshot',
    epoch: 'e1',
    seq: 1,
    now: NOW,
    places: PLACES,
    clusters: [],
    runs: [],
    operations: [],
    profiles: [view()],
    silent: [],
    models: [],
    services: [],
    schedules: { schedules: [], silent: [] },
    beat: 0,
    ...part
  };
}

export function settings(part: Partial<Settings> = {}): Settings {
  return {
    format: 1,
    price: {
      cpu_hour: null,
      gb_hour: null,
      gpu_hour: null,
      currency: 'USD',
      source: null,
      date: ''
    },
    adjust: { exchange: null, discount: null },
    tracking_uri: null,
    default_profile: null,
    kinds: {},
    currencies: {},
    last_used: { 'this-machine': 5 },
    ...part
  };
}

/** The id of a cluster of that name: never the name alone, which several may have. */
export function idOf(name = 'flights', place = 'local'): string {
  return `${name}.${place}~1`;
}
