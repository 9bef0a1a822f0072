import { ServerConnection } from '@jupyterlab/services';

import { IFile, request, requestFile } from './request';
import {
  CandidateState,
  CurvesView,
  Discount,
  Entry,
  Estimate,
  Event,
  Exchange,
  Finding,
  ModelView,
  MoneyView,
  Operation,
  Performance,
  Price,
  Profile,
  ProfileView,
  Retraining,
  Promotion,
  PythonStack,
  Receipt,
  RunState,
  Sample,
  ScheduleAnswer,
  ScheduleView,
  ServiceCallers,
  ServiceHistory,
  ServiceState,
  ServiceWatch,
  Settings,
  TrialsView,
  Verdict,
  WorkerState
} from './state/schema';

/** What a cluster is started with; the profile decides what is left out. */
export interface IStartOptions {
  profile: string;
  name?: string;
  workers?: number;
  group?: string;
}

/** What a month's costs can be exported as. */
export type CostFormat = 'csv' | 'parquet' | 'focus' | 'html';

/** What answers at a service. */
export interface IDeployment {
  model: string;
  version: number | 'champion';
  place?: string;
  profile?: string;
  /** How it is tried beside the version that serves; without, it takes its place. */
  way?: 'canary' | 'ab' | 'shadow';
}

/** What a version that is tried is to get; what is left out stays. */
export interface ISplitChange {
  share?: number;
  paused?: boolean;
  why?: string;
  /** What was wanted when that was asked: nothing is done where something else has been wanted since. */
  expected: string;
}

/** That a version is to serve, and why. */
export interface IDecision {
  why: string;
  /** As in `ISplitChange`. */
  expected: string;
}

/** An amount as a person typed it: the server reads "2 GiB" and "20 min" too, and says what is wrong with others. */
export type Amount = number | string | null;

/** A copy of a notebook: what to call it, and the folder where it belongs, below the server's root. */
export interface INotebookCopy {
  name: string;
  folder: string;
  notebook: object;
}

/** A notebook that is to run by itself: its path from the server's root on, when, and where. */
export interface IScheduleRequest {
  path: string;
  /** "15 min", "1 day at 02:00". */
  every: string;
  place?: string;
  profile?: string;
  cluster?: string;
  /** By whose clock, where it isn't this machine's. */
  zone?: string;
}

/** Other limits for a live cluster; what is left out stays. */
export interface ILimitChange {
  budget?: Amount;
  lifetime?: Amount;
  more_money?: Amount;
  more_time?: Amount;
}

/** What people may type in the place of an amount. */
type Asked<T> = { [K in keyof T]: T[K] extends number | null ? Amount : T[K] };

/** A profile to be saved or estimated. */
export interface IProfileRequest extends Omit<Profile, 'groups' | 'limits' | 'price'> {
  groups: Asked<Profile['groups'][number]>[];
  limits: Asked<Profile['limits']>;
  price: Asked<Price> | null;
}

/** Settings to be saved. What is said of list prices the server signs. */
export interface ISettingsRequest extends Omit<Settings, 'price' | 'adjust'> {
  price: Asked<Price>;
  adjust: {
    exchange: Asked<Pick<Exchange, 'rate' | 'currency'>> | null;
    discount: Asked<Pick<Discount, 'percent'>> | null;
  };
}

/**
 * The commands and questions that the server answers. Every method throws `MlopsError`.
 */
export interface IApi {
  start(options: IStartOptions): Promise<Operation>;
  /** Want `workers` workers in `group`. Adaptive scaling of it ends. */
  scale(cluster: string, group: string, workers: number): Promise<Operation>;
  /** Let at most `workers` workers of `group` go that have long been idle. */
  letGo(cluster: string, group: string, workers: number): Promise<Operation>;
  /** Let the workers of `group` follow the work between two bounds. */
  adapt(cluster: string, group: string, minimum: number, maximum: number): Promise<Operation>;
  /** Give a live cluster other limits: a whole budget or lifetime, or so much more. */
  limit(cluster: string, change: ILimitChange): Promise<Operation>;
  /** End a cluster; `force`: by the place's own means, without asking its controller. */
  stop(cluster: string, force?: boolean): Promise<Operation>;
  /** Remove the record of a cluster that has ended. */
  forget(cluster: string): Promise<void>;
  workers(cluster: string): Promise<WorkerState[]>;
  events(cluster: string): Promise<Event[]>;
  timeline(cluster: string, since?: number): Promise<Sample[]>;
  /** The last lines of a worker's log, or of the scheduler's. */
  logs(cluster: string, worker: string | null, lines: number): Promise<string[]>;
  /** The sum so far, or the final one. */
  receipt(cluster: string): Promise<Receipt | null>;
  /** The address of a page of Dask's dashboard, behind Jupyter's login. */
  dashboard(cluster: string, page: string): string;
  /** The plots that the dashboard has alone: title → page. */
  plots(cluster: string): Promise<Record<string, string>>;
  run(id: string): Promise<RunState>;
  /** The newest `most` runs of the history. */
  runs(most: number): Promise<RunState[]>;
  journal(id: string): Promise<Entry[]>;
  /** The curves of a run that changed after `since`, of at most `most` points each. */
  curves(id: string, since: number, most: number): Promise<CurvesView>;
  /** A sweep, and those of its trials that changed after `since`. */
  trials(id: string, since: number): Promise<TrialsView>;
  /** The Python stacks of a run's processes, now. */
  stacks(id: string): Promise<PythonStack[]>;
  /** Have a map that runs try other numbers of workers with its next items. */
  trySizes(id: string): Promise<void>;
  cancel(id: string): Promise<Operation>;
  /** Remove a run that is over from the history, with all that was kept of it. */
  forgetRun(id: string): Promise<void>;
  /** Run it again, detached, on the cluster it ran on or on another. */
  again(id: string, cluster?: string): Promise<Operation>;
  /** A model with its versions, gates, how its versions did at them, and its trail. */
  model(name: string): Promise<ModelView>;
  /** A version's card, in Markdown. */
  card(model: string, version: number): Promise<string>;
  /** A copy of the notebook that a version was saved from, as it was; what to call it, and where that was. */
  notebookOf(model: string, version: number): Promise<INotebookCopy>;
  /** The versions that a run made, by name. */
  versionsOf(run: string): Promise<string[]>;
  /** Whether a version is as it was saved. */
  verify(model: string, version: number): Promise<Finding[]>;
  /** Make a version its model's champion, if it passes the gates or they are overridden. Takes seconds. */
  promote(model: string, promotion: Promotion): Promise<Verdict>;
  /** What this month cost so far, and what was saved. */
  money(): Promise<MoneyView>;
  /** The same as a file. */
  costs(as: CostFormat): Promise<IFile>;
  /** Have a version answer; resolves when it does. */
  deploy(deployment: IDeployment): Promise<ServiceState>;
  /** Give the version that a service tries another share, or have it wait or go on. */
  changeSplit(name: string, change: ISplitChange): Promise<ServiceState>;
  /** Have the version that is tried serve; resolves when it does. */
  promoteService(name: string, decision: IDecision): Promise<ServiceState>;
  /** Take the version that is tried back, or have the one before serve again; resolves when that is so. */
  rollBackService(name: string, decision: IDecision): Promise<ServiceState>;
  /** How the version that is tried compares with the one that serves. */
  serviceCandidate(name: string): Promise<{ candidate: CandidateState | null }>;
  /** Who may call a service, what each asked today, and in words who would miss it. */
  serviceCallers(name: string): Promise<ServiceCallers>;
  /** Stop a service; what it was asked is answered before. */
  stopService(name: string): Promise<ServiceState>;
  /** Have the notebook run that a service’s model comes from. */
  retrainService(name: string, why: string): Promise<Retraining>;
  /** A few rows of the example of the version that a service has. */
  serviceExample(name: string): Promise<unknown[]>;
  /** How what a service is asked, and answers, compares with its version's baseline. */
  watchService(name: string): Promise<ServiceWatch>;
  /** How much a service was asked in the last `seconds`, how that has changed, and what was done to it. */
  serviceHistory(name: string, seconds: number): Promise<ServiceHistory>;
  /** How good a service's version is at what it is asked. */
  servicePerformance(name: string): Promise<Performance>;
  /** What a service answers to rows: the status of HTTP, and what it said. */
  tryService(name: string, records: unknown): Promise<{ status: number; answer: unknown }>;
  /** Have a notebook run by itself, or otherwise than before; resolves with what is to be said of it. */
  schedule(request: IScheduleRequest): Promise<ScheduleAnswer>;
  /** Let a notebook run by itself no more. */
  unschedule(id: string): Promise<void>;
  /** Have a notebook that runs by itself run at once. */
  runScheduled(id: string): Promise<ScheduleView>;
  /** The end of what the last run of one printed. */
  scheduleLog(id: string): Promise<string[]>;
  operation(id: string): Promise<Operation>;
  estimate(profile: IProfileRequest): Promise<Estimate>;
  saveProfile(profile: IProfileRequest): Promise<ProfileView>;
  deleteProfile(name: string): Promise<void>;
  settings(): Promise<Settings>;
  saveSettings(settings: ISettingsRequest): Promise<Settings>;
}

/** The server's REST interface. */
export class Api implements IApi {
  constructor(private readonly server: ServerConnection.ISettings) {}

  start(options: IStartOptions): Promise<Operation> {
    return this._ask('clusters', 'POST', options);
  }

  scale(cluster: string, group: string, workers: number): Promise<Operation> {
    return this._ask(at('clusters', cluster), 'PATCH', { group, workers });
  }

  letGo(cluster: string, group: string, workers: number): Promise<Operation> {
    return this._ask(at('clusters', cluster), 'PATCH', { group, let_go: workers });
  }

  adapt(cluster: string, group: string, minimum: number, maximum: number): Promise<Operation> {
    const body = { group, minimum, maximum };
    return this._ask(at('clusters', cluster), 'PATCH', body);
  }

  limit(cluster: string, change: ILimitChange): Promise<Operation> {
    return this._ask(at('clusters', cluster), 'PATCH', change);
  }

  stop(cluster: string, force = false): Promise<Operation> {
    const query = force ? '?force=1' : '';
    return this._ask(at('clusters', cluster) + query, 'DELETE');
  }

  forget(cluster: string): Promise<void> {
    return this._ask(at('clusters', cluster), 'DELETE');
  }

  workers(cluster: string): Promise<WorkerState[]> {
    return this._ask(at('clusters', cluster, 'workers'));
  }

  events(cluster: string): Promise<Event[]> {
    return this._ask(at('clusters', cluster, 'events'));
  }

  timeline(cluster: string, since = 0): Promise<Sample[]> {
    return this._ask(`${at('clusters', cluster, 'timeline')}?since=${since}`);
  }

  async logs(cluster: string, worker: string | null, lines: number): Promise<string[]> {
    const query = new URLSearchParams({ lines: String(lines) });
    if (worker !== null) {
      query.set('worker', worker);
    }
    return this._ask(`${at('clusters', cluster, 'logs')}?${query}`);
  }

  receipt(cluster: string): Promise<Receipt | null> {
    return this._ask(at('clusters', cluster, 'receipt'));
  }

  dashboard(cluster: string, page: string): string {
    const path = at('jupyter-mlops', 'clusters', cluster, 'dashboard', page);
    return this.server.baseUrl + path;
  }

  plots(cluster: string): Promise<Record<string, string>> {
    return this._ask(at('clusters', cluster, 'dashboard', 'individual-plots.json'));
  }

  run(id: string): Promise<RunState> {
    return this._ask(at('runs', id));
  }

  runs(most: number): Promise<RunState[]> {
    return this._ask(`runs?limit=${most}`);
  }

  journal(id: string): Promise<Entry[]> {
    return this._ask(`${at('runs', id, 'journal')}?since=0`);
  }

  curves(id: string, since: number, most: number): Promise<CurvesView> {
    return this._ask(`${at('runs', id, 'curves')}?since=${since}&most=${most}`);
  }

  trials(id: string, since: number): Promise<TrialsView> {
    return this._ask(`${at('runs', id, 'trials')}?since=${since}`);
  }

  stacks(id: string): Promise<PythonStack[]> {
    return this._ask(at('runs', id, 'stacks'));
  }

  trySizes(id: string): Promise<void> {
    return this._ask(at('runs', id, 'sizes'), 'POST', {});
  }

  cancel(id: string): Promise<Operation> {
    return this._ask(at('runs', id), 'DELETE');
  }

  forgetRun(id: string): Promise<void> {
    return this._ask(at('runs', id, 'record'), 'DELETE');
  }

  again(id: string, cluster?: string): Promise<Operation> {
    return this._ask(at('runs', id, 'again'), 'POST', cluster ? { cluster } : {});
  }

  model(name: string): Promise<ModelView> {
    return this._ask(at('models', name));
  }

  async card(model: string, version: number): Promise<string> {
    const path = at('models', model, 'versions', String(version), 'card');
    return (await this._ask<{ card: string }>(path)).card;
  }

  notebookOf(model: string, version: number): Promise<INotebookCopy> {
    return this._ask(at('models', model, 'versions', String(version), 'notebook'));
  }

  async versionsOf(run: string): Promise<string[]> {
    return (await this._ask<{ versions: string[] }>(at('runs', run, 'versions'))).versions;
  }

  verify(model: string, version: number): Promise<Finding[]> {
    return this._ask(at('models', model, 'versions', String(version), 'verify'));
  }

  promote(model: string, promotion: Promotion): Promise<Verdict> {
    return this._ask(at('models', model, 'promote'), 'POST', promotion);
  }

  money(): Promise<MoneyView> {
    return this._ask('money');
  }

  costs(as: CostFormat): Promise<IFile> {
    return requestFile(`money/export?as=${as}`, this.server);
  }

  deploy(deployment: IDeployment): Promise<ServiceState> {
    return this._ask('services', 'POST', deployment);
  }

  changeSplit(name: string, change: ISplitChange): Promise<ServiceState> {
    return this._ask(at('services', name), 'PATCH', change);
  }

  promoteService(name: string, decision: IDecision): Promise<ServiceState> {
    return this._ask(at('services', name, 'promote'), 'POST', decision);
  }

  rollBackService(name: string, decision: IDecision): Promise<ServiceState> {
    return this._ask(at('services', name, 'rollback'), 'POST', decision);
  }

  serviceCandidate(name: string): Promise<{ candidate: CandidateState | null }> {
    return this._ask(at('services', name, 'comparison'));
  }

  serviceCallers(name: string): Promise<ServiceCallers> {
    return this._ask(at('services', name, 'callers'));
  }

  stopService(name: string): Promise<ServiceState> {
    return this._ask(at('services', name), 'DELETE');
  }

  retrainService(name: string, why: string): Promise<Retraining> {
    return this._ask(at('services', name, 'retrain'), 'POST', { why });
  }

  async serviceExample(name: string): Promise<unknown[]> {
    return (await this._ask<{ records: unknown[] }>(at('services', name, 'example'))).records;
  }

  watchService(name: string): Promise<ServiceWatch> {
    return this._ask(at('services', name, 'watch'));
  }

  serviceHistory(name: string, seconds: number): Promise<ServiceHistory> {
    return this._ask(`${at('services', name, 'history')}?seconds=${seconds}`);
  }

  servicePerformance(name: string): Promise<Performance> {
    return this._ask(at('services', name, 'performance'));
  }

  tryService(name: string, records: unknown): Promise<{ status: number; answer: unknown }> {
    return this._ask(at('services', name, 'try'), 'POST', { records });
  }

  schedule(request: IScheduleRequest): Promise<ScheduleAnswer> {
    return this._ask('schedules', 'POST', request);
  }

  unschedule(id: string): Promise<void> {
    return this._ask(at('schedules', id), 'DELETE');
  }

  runScheduled(id: string): Promise<ScheduleView> {
    return this._ask(at('schedules', id, 'run'), 'POST', {});
  }

  async scheduleLog(id: string): Promise<string[]> {
    return (await this._ask<{ lines: string[] }>(at('schedules', id, 'log'))).lines;
  }

  operation(id: string): Promise<Operation> {
    return this._ask(at('operations', id));
  }

  estimate(profile: IProfileRequest): Promise<Estimate> {
    return this._ask('profiles/estimate', 'POST', { profile });
  }

  saveProfile(profile: IProfileRequest): Promise<ProfileView> {
    return this._ask(at('profiles', profile.name), 'PUT', profile);
  }

  deleteProfile(name: string): Promise<void> {
    return this._ask(at('profiles', name), 'DELETE');
  }

  settings(): Promise<Settings> {
    return this._ask('settings');
  }

  saveSettings(settings: ISettingsRequest): Promise<Settings> {
    return this._ask('settings', 'PUT', settings);
  }

  private _ask<T>(path: string, method = 'GET', body?: unknown): Promise<T> {
    return request<T>(path, this.server, { method, body });
  }
}

function at(...steps: string[]): string {
  return steps.map(encodeURIComponent).join('/');
}
