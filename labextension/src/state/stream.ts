import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { Changes, Hello, Problem, Snapshot } from './schema';
import { IConnection } from './state';

/** What the server says. */
export type Message = Snapshot | Changes;

/**
 * Where messages come from. The store needs no more than this, so that tests can feed it by hand.
 */
export interface IStream extends IDisposable {
  readonly message: ISignal<IStream, Message>;
  readonly connection: ISignal<IStream, IConnection>;

  /**
   * Connect, and stay connected until disposed.
   *
   * @param hello - what to say whenever a connection opens: where to resume from, and what is followed.
   */
  start(hello: () => Hello): void;

  /** Say what is followed now. Nothing while there is no connection: it is said when there is one. */
  send(hello: Hello): void;

  /** Try at once, without waiting for the next try that is due. */
  retry(): void;
}

/** Milliseconds before the first try again; doubled after each that fails. */
const FIRST_WAIT = 500;
/** Milliseconds between tries at most: long enough to cost nothing, short enough to be back soon after a restart. */
const LONGEST_WAIT = 15_000;
/** Milliseconds between tries while nobody looks. */
const HIDDEN_WAIT = 60_000;

/**
 * The server's websocket. It reconnects by itself with growing waits, seldom while the page is hidden, and at once when
 * the page is shown again.
 */
export class SocketStream implements IStream {
  /**
   * @param settings - the address and the token of the Jupyter server.
   * @param diagnose - asked after a try that failed: why, as far as a plain request can tell.
   */
  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly diagnose: () => Promise<Problem | null>
  ) {
    document.addEventListener('visibilitychange', this._onVisibility);
    window.addEventListener('online', this._onOnline);
  }

  readonly message = new Signal<this, Message>(this);
  readonly connection = new Signal<this, IConnection>(this);

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  start(hello: () => Hello): void {
    this._hello = hello;
    this._open();
  }

  send(hello: Hello): void {
    if (this._socket?.readyState === WebSocket.OPEN) {
      this._socket.send(JSON.stringify(hello));
    }
  }

  retry(): void {
    if (!this._isDisposed && this._timer !== null) {
      this._open();
    }
  }

  dispose(): void {
    this._isDisposed = true;
    document.removeEventListener('visibilitychange', this._onVisibility);
    window.removeEventListener('online', this._onOnline);
    this._clear();
    this._socket?.close();
    Signal.clearData(this);
  }

  private _open(): void {
    this._clear();
    const socket = new this.settings.WebSocket(this._address());
    this._socket = socket;
    socket.onopen = () => socket.send(JSON.stringify(this._hello!()));
    socket.onmessage = event => {
      this._tries = 0;
      if (this._phase !== 'live') {
        this._tell('live', null, null);
      }
      this.message.emit(JSON.parse(event.data) as Message);
    };
    socket.onclose = () => {
      if (!this._isDisposed && this._socket === socket) {
        void this._onClose();
      }
    };
  }

  private async _onClose(): Promise<void> {
    this._socket = null;
    const wait = this._wait();
    this._tries += 1;
    this._timer = window.setTimeout(() => this._open(), wait);
    // One try in silence: a connection that only broke is back before anyone has to know.
    if (this._tries > 1) {
      const retry = Date.now() / 1000 + wait / 1000;
      const problem = await this.diagnose();
      if (this._timer !== null && !this._isDisposed) {
        this._tell('gone', retry, problem);
      }
    }
  }

  private _wait(): number {
    if (document.hidden) {
      return HIDDEN_WAIT;
    }
    // Not all browsers of a restarted server at the same moment.
    const jitter = 0.75 + Math.random() / 2;
    return Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this._tries) * jitter;
  }

  private _tell(phase: IConnection['phase'], retry: number | null, problem: Problem | null): void {
    if (phase !== this._phase) {
      this._phase = phase;
      this._since = Date.now() / 1000;
    }
    this.connection.emit({ phase, since: this._since, retry, problem });
  }

  private _address(): string {
    const { wsUrl, token, appendToken } = this.settings;
    const address = URLExt.join(wsUrl, 'jupyter-mlops', 'stream');
    return appendToken && token ? `${address}?token=${encodeURIComponent(token)}` : address;
  }

  private _clear(): void {
    if (this._timer !== null) {
      window.clearTimeout(this._timer);
      this._timer = null;
    }
  }

  private _onVisibility = (): void => {
    if (!document.hidden) {
      this.retry();
    }
  };

  private _onOnline = (): void => this.retry();

  private _hello: (() => Hello) | null = null;
  private _socket: WebSocket | null = null;
  private _timer: number | null = null;
  private _tries = 0;
  private _phase: IConnection['phase'] = 'connecting';
  private _since = Date.now() / 1000;
  private _isDisposed = false;
}
