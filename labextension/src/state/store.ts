import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { IApi, ISettingsRequest, IStartOptions } from '../api';
import { asProblem } from '../request';
import { put, reduce } from './reduce';
import { Hello, Operation, ProfileView } from './schema';
import { Followed, IConnection, IStart, IState, NOTHING } from './state';
import { IStream, Message } from './stream';

/** Milliseconds between two updates of the screen: what comes in between is shown together. */
const INTERVAL = 200;

/** An operation that nothing was told of. */
const NEW: Pick<Operation, 'phase' | 'progress'> = { phase: 'running', progress: null };

/**
 * The one place of the browser's state: fed by the stream, read by every view. It is never told what to be; commands go
 * to the server, and what they did comes back through the stream.
 */
export class Store implements IDisposable {
  constructor(
    private readonly stream: IStream,
    readonly api: IApi
  ) {
    stream.message.connect(this._onMessage, this);
    stream.connection.connect(this._onConnection, this);
  }

  /** Connect. */
  start(): void {
    this.stream.start(() => this._hello());
  }

  /** What is shown now. */
  get state(): IState {
    return this._state;
  }

  /** Emitted with the state before, at most five times a second. */
  get changed(): ISignal<this, IState> {
    return this._changed;
  }

  /** Seconds since the epoch by the server's clock. */
  now(): number {
    return Date.now() / 1000 + this._state.skew;
  }

  /** Try to connect at once. */
  retry(): void {
    this.stream.retry();
  }

  /** Have the workers and events of a cluster, or the journal of a run, in the state until disposed. */
  follow(noun: Followed, id: string): IDisposable {
    const names = this._followed[noun];
    names.set(id, (names.get(id) ?? 0) + 1);
    if (names.get(id) === 1) {
      this._greet();
    }
    return new DisposableDelegate(() => this._unfollow(noun, id));
  }

  /**
   * Ask for a cluster. It is shown at once as starting; when the server refuses, as the problem.
   */
  async startCluster(options: IStartOptions): Promise<Operation | null> {
    const view = this._state.profiles.find(view => view.profile.name === options.profile);
    const start: IStart = {
      id: ++this._starts,
      profile: options.profile,
      title: view?.profile.title || options.profile,
      created: this.now(),
      cluster: null,
      problem: null
    };
    this._set({ starts: [start, ...this._next.starts] });
    try {
      const operation = await this.api.start(options);
      this._putStart({ ...start, cluster: operation.subject });
      return operation;
    } catch (error) {
      this._putStart({ ...start, problem: asProblem(error) });
      return null;
    }
  }

  /** Stop showing a start that failed. */
  dismissStart(id: number): void {
    this._set({ starts: this._next.starts.filter(start => start.id !== id) });
  }

  /** Take in an operation that the server answered with, unless the stream was quicker to tell what became of it. */
  putOperation(operation: Operation): void {
    if (this._next.operations.has(operation.id)) {
      return;
    }
    this._set({
      operations: put(this._next.operations, operation.id, operation)
    });
  }

  /**
   * Return when the stream has told that an operation is being carried out, or has ended. What was asked for has been
   * answered by then, and what came of it is in the state.
   */
  untilTakenUp(operation: string): Promise<void> {
    const isTakenUp = (): boolean => {
      const { phase, progress } = this._state.operations.get(operation) ?? NEW;
      return phase !== 'running' || progress !== null;
    };
    return new Promise(resolve => {
      const look = (): void => {
        if (isTakenUp()) {
          this._changed.disconnect(look);
          resolve();
        }
      };
      this._changed.connect(look);
      look();
    });
  }

  /** Emitted when this page has changed the server's settings, other than through Lab's. */
  get settingsSaved(): ISignal<this, void> {
    return this._settingsSaved;
  }

  /** Replace the server's settings; throws `MlopsError`. */
  async saveSettings(settings: ISettingsRequest): Promise<void> {
    await this.api.saveSettings(settings);
    this._settingsSaved.emit();
  }

  /** Take in a profile that the server saved, before the stream tells of it: the next menu has it. */
  putProfile(view: ProfileView): void {
    const { profiles } = this._next;
    const isNew = profiles.every(other => other.profile.name !== view.profile.name);
    this._set({
      profiles: isNew
        ? [...profiles, view]
        : profiles.map(other => (other.profile.name === view.profile.name ? view : other))
    });
  }

  /** A profile was removed, which the stream will tell of. */
  dropProfile(name: string): void {
    this._set({ profiles: this._next.profiles.filter(view => view.profile.name !== name) });
  }

  /** Ask for runs that are older than those the stream tells of; throws `MlopsError`. */
  async loadOlder(most: number): Promise<void> {
    const found = await this.api.runs(most);
    this._set({ older: new Map(found.map(run => [run.id, run])) });
  }

  /** A run was removed from the history, which the stream tells of only if it told of the run. */
  dropRun(id: string): void {
    this._set({
      runs: put(this._next.runs, id, null),
      older: put(this._next.older, id, null)
    });
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    window.clearTimeout(this._timer);
    this.stream.dispose();
    Signal.clearData(this);
  }

  private _onMessage(_: IStream, message: Message): void {
    const next = reduce(this._next, message, Date.now() / 1000);
    const { loaded } = this._next;
    this._next = next;
    this._schedule(!loaded);
  }

  private _onConnection(_: IStream, connection: IConnection): void {
    this._next = { ...this._next, connection };
    this._schedule(true);
  }

  /** What a person did is shown at once. */
  private _set(part: Partial<IState>): void {
    this._next = { ...this._next, ...part };
    this._schedule(true);
  }

  private _putStart(start: IStart): void {
    const listed = start.cluster !== null && this._next.clusters.has(start.cluster);
    const starts = this._next.starts.filter(other => !listed || other.id !== start.id);
    this._set({
      starts: starts.map(other => (other.id === start.id ? start : other))
    });
  }

  private _schedule(now: boolean): void {
    if (now) {
      this._publish();
    } else if (this._timer === undefined) {
      const wait = Math.max(0, this._published + INTERVAL - Date.now());
      this._timer = window.setTimeout(() => this._publish(), wait);
    }
  }

  private _publish(): void {
    window.clearTimeout(this._timer);
    this._timer = undefined;
    this._published = Date.now();
    const before = this._state;
    this._state = this._next;
    if (this._state !== before) {
      this._changed.emit(before);
    }
  }

  private _unfollow(noun: Followed, id: string): void {
    const names = this._followed[noun];
    const count = names.get(id)! - 1;
    if (count > 0) {
      names.set(id, count);
      return;
    }
    names.delete(id);
    const { workers, events, journals } = this._next;
    this._next =
      noun === 'run'
        ? { ...this._next, journals: put(journals, id, null) }
        : {
            ...this._next,
            workers: put(workers, id, null),
            events: put(events, id, null)
          };
    this._greet();
  }

  private _greet(): void {
    this.stream.send(this._hello());
  }

  private _hello(): Hello {
    return {
      type: 'hello',
      epoch: this._next.epoch,
      seq: this._next.seq,
      follow_clusters: [...this._followed.cluster.keys()],
      follow_runs: [...this._followed.run.keys()]
    };
  }

  private readonly _settingsSaved = new Signal<this, void>(this);
  private readonly _changed = new Signal<this, IState>(this);
  private readonly _followed = {
    cluster: new Map<string, number>(),
    run: new Map<string, number>()
  };
  private _state = NOTHING;
  private _next = NOTHING;
  private _published = 0;
  private _timer: number | undefined = undefined;
  private _starts = 0;
  private _isDisposed = false;
}
