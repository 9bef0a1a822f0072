import { Signal } from '@lumino/signaling';

import {
  IApi,
  IDecision,
  IDeployment,
  IScheduleRequest,
  ISettingsRequest,
  ISplitChange
} from '../src/api';
import {
  Changes,
  CurvesView,
  CandidateState,
  Fault,
  Finding,
  Hello,
  ModelView,
  MoneyView,
  Operation,
  Promotion,
  PythonStack,
  RunState,
  ScheduleAnswer,
  Performance,
  ServiceCallers,
  ServiceHistory,
  ServiceWatch,
  Settings,
  TrialsView,
  Verdict
} from '../src/state/schema';
import { IConnection } from '../src/state/state';
import { IStream, Message } from '../src/state/stream';
import {
  NOW,
  estimate,
  idOf,
  operation,
  retraining,
  schedule,
  service,
  settings,
  view
} from './examples';

/** A stream that a test speaks through. */
export class TestStream implements IStream {
  readonly message = new Signal<this, Message>(this);
  readonly connection = new Signal<this, IConnection>(this);
  readonly hellos: Hello[] = [];
  isDisposed = false;
  retries = 0;

  start(hello: () => Hello): void {
    this.greet = hello;
    this.hellos.push(hello());
  }

  send(hello: Hello): void {
    this.hellos.push(hello);
  }

  retry(): void {
    this.retries += 1;
  }

  say(message: Message): void {
    this.message.emit(message);
  }

  change(seq: number, ...changes: Changes['changes']): void {
    this.say({ type: 'changes', epoch: 'e1', seq, now: NOW, changes, beat: 0 });
  }

  dispose(): void {
    this.isDisposed = true;
  }

  greet: (() => Hello) | null = null;
}

/** A server that remembers what it was asked, and refuses what a test wants refused. */
export class TestApi implements IApi {
  readonly asked: unknown[][] = [];
  refusal: Error | null = null;
  kept: Settings = settings();
  lines: string[] = [];
  doubts: Fault[] = [];
  modelView: ModelView | null = null;
  versions: string[] = [];
  looked: Finding[] = [];
  spent: MoneyView = {
    month: '2026-11',
    title: 'November 2026',
    sums: [],
    baseline: 'the same clusters',
    trends: [],
    followed: [],
    silent: []
  };
  rows: unknown[] = [];
  /** How the version that a service tries compares. */
  compared: CandidateState | null = null;
  /** What a service's watch is. */
  callers: ServiceCallers = { callers: [], words: '', counted: true };
  watched = null as never as ServiceWatch;
  past: ServiceHistory = {
    since: 0,
    until: 0,
    step: 60,
    counted: true,
    traffic: [],
    drift: [],
    deeds: []
  };
  performed: Performance = {
    format: 1,
    version: 0,
    digest: '',
    metric: '',
    more: true,
    before: null,
    whole: null,
    periods: [],
    alerts: [],
    problem: null,
    unsure: '',
    blind_spot: '',
    words: ''
  };
  answered: ScheduleAnswer = { error: '', what: '', why: '', todo: '', told: [] };
  heard: { status: number; answer: unknown } = { status: 200, answer: {} };
  /** What it is at, once it was asked to run something again. */
  doing = operation({ kind: 'again', subject: 'aaaaaaaaaaaa' });
  history: RunState[] = [];
  where: PythonStack[] = [];
  tried: TrialsView[] = [];
  drawn: CurvesView = { seq: 0, curves: [], attempts: [], left_out: 0 };

  start = (options: { profile: string }) =>
    this._answer('start', [options], operation({ kind: 'start', subject: idOf() }));
  money = () => this._answer('money', [], this.spent);
  costs = (as: string) =>
    this._answer('costs', [as], { name: `costs.${as}`, content: new Blob(['cost']) });
  scale = (...args: [string, string, number]) => this._answer('scale', args, operation());
  adapt = (...args: [string, string, number, number]) =>
    this._answer('adapt', args, operation({ kind: 'adapt' }));
  letGo = (...args: [string, string, number]) =>
    this._answer('letGo', args, operation({ kind: 'let_go' }));
  limit = (...args: [string, object]) => this._answer('limit', args, operation({ kind: 'limit' }));
  stop = (...args: [string, boolean?]) => this._answer('stop', args, operation({ kind: 'stop' }));
  forget = (...args: [string]) => this._answer('forget', args, undefined);
  workers = (...args: [string]) => this._answer('workers', args, []);
  events = (...args: [string]) => this._answer('events', args, []);
  timeline = (...args: [string, number?]) => this._answer('timeline', args, []);
  logs = (...args: [string, string | null, number]) => this._answer('logs', args, this.lines);
  receipt = (...args: [string]) => this._answer('receipt', args, null);
  dashboard = (cluster: string, page: string) =>
    `/jupyter-mlops/clusters/${cluster}/dashboard/${page}`;
  plots = (...args: [string]) => this._answer('plots', args, {});
  run = (...args: [string]) => this._answer('run', args, null as never);
  runs = (...args: [number]) => this._answer('runs', args, this.history);
  forgetRun = (...args: [string]) => this._answer('forgetRun', args, undefined);
  journal = (...args: [string]) => this._answer('journal', args, []);
  stacks = (...args: [string]) => this._answer('stacks', args, this.where);
  trySizes = (...args: [string]) => this._answer('trySizes', args, undefined);
  curves = (...args: [string, number, number]) => this._answer('curves', args, this.drawn);
  trials = (...args: [string, number]) => this._answer('trials', args, this.tried.shift()!);
  cancel = (...args: [string]) => this._answer('cancel', args, operation({ kind: 'cancel' }));
  again = (...args: [string, string?]) => this._answer<Operation>('again', args, this.doing);
  model = (...args: [string]) => this._answer('model', args, this.modelView!);
  notebookOf = (...args: [string, number]) =>
    this._answer('notebookOf', args, { name: 'a.ipynb', folder: '', notebook: {} });
  versionsOf = (...args: [string]) => this._answer('versionsOf', args, this.versions);
  card = (...args: [string, number]) => this._answer('card', args, '# A card');
  verify = (...args: [string, number]) => this._answer('verify', args, this.looked);
  promote = (...args: [string, Promotion]) =>
    this._answer('promote', args, null as never as Verdict);
  deploy = (...args: [IDeployment]) => this._answer('deploy', args, service());
  changeSplit = (...args: [string, ISplitChange]) => this._answer('changeSplit', args, service());
  promoteService = (...args: [string, IDecision]) =>
    this._answer('promoteService', args, service());
  rollBackService = (...args: [string, IDecision]) =>
    this._answer('rollBackService', args, service());
  serviceCandidate = (...args: [string]) =>
    this._answer('serviceCandidate', args, { candidate: this.compared });
  retrainService = (...args: [string, string]) =>
    this._answer('retrainService', args, retraining());
  serviceCallers = (...args: [string]) => this._answer('serviceCallers', args, this.callers);
  stopService = (...args: [string]) => this._answer('stopService', args, service());
  serviceExample = (...args: [string]) => this._answer('serviceExample', args, this.rows);
  watchService = (...args: [string]) => this._answer('watchService', args, this.watched);
  serviceHistory = (...args: [string, number]) => this._answer('serviceHistory', args, this.past);
  servicePerformance = (...args: [string]) =>
    this._answer('servicePerformance', args, this.performed);
  tryService = (...args: [string, unknown]) => this._answer('tryService', args, this.heard);
  schedule = (...args: [IScheduleRequest]) => this._answer('schedule', args, this.answered);
  unschedule = (...args: [string]) => this._answer('unschedule', args, undefined);
  runScheduled = (...args: [string]) => this._answer('runScheduled', args, schedule());
  scheduleLog = (...args: [string]) => this._answer('scheduleLog', args, this.lines);
  operation = (...args: [string]) => this._answer('operation', args, operation());
  estimate = (...args: [unknown]) =>
    this._answer('estimate', args, estimate({ doubts: this.doubts }));
  saveProfile = (...args: [unknown]) => this._answer('saveProfile', args, view());
  deleteProfile = (...args: [string]) => this._answer('deleteProfile', args, undefined);
  settings = () => this._answer('settings', [], this.kept);
  saveSettings = (value: ISettingsRequest) => {
    this.kept = value as Settings;
    return this._answer('saveSettings', [value], this.kept);
  };

  private async _answer<T>(name: string, args: unknown[], answer: T): Promise<T> {
    this.asked.push([name, ...args]);
    if (this.refusal) {
      throw this.refusal;
    }
    return answer;
  }
}
