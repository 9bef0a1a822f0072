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
/** Beats of the server that may be missed before its silence counts as a dead connection. */
const BEATS = 2.5;
/** Milliseconds that a new connection may take to its first message. */
const OPENING = 20_000;
/** Milliseconds that the answer to a hello may take while there is reason to doubt the connection. */
const DOUBT = 5_000;

/**
 * The server's websocket. It reconnects by itself with growing waits, seldom while the page is hidden, and at once when
 * the page is shown again.
 *
 * A network that goes silent (a suspended laptop, a lost Wi-Fi, a firewall) closes no websocket for minutes. So the
 * server promises to be heard every few seconds, and a connection over which it isn't counts as closed.
 */
export class SocketStream implements IStream {
  /**
   * @param settings - the address and the token of the Jupyter server.
   * @param diagnose - asked after a try that failed: why, as far as a plain request can tell. It may take long.
   */
  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly diagnose: () => Promise<Problem | null>
  ) {
    document.addEventListener('visibilitychange', this._onVisibility);
    window.addEventListener('online', this._onDoubt);
    window.addEventListener('offline', this._onDoubt);
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
    const isOpening = this._socket !== null && this._socket.readyState !== WebSocket.OPEN;
    if (!this._isDisposed && (this._timer !== null || (isOpening && this._phase === 'gone'))) {
      this._open();
    }
  }

  dispose(): void {
    this._isDisposed = true;
    document.removeEventListener('visibilitychange', this._onVisibility);
    window.removeEventListener('online', this._onDoubt);
    window.removeEventListener('offline', this._onDoubt);
    this._clear();
    this._socket?.close();
    Signal.clearData(this);
  }

  private _open(): void {
    this._clear();
    this._drop();
    const socket = new this.settings.WebSocket(this._address());
    this._socket = socket;
    this._expect(OPENING);
    socket.onopen = () => socket.send(JSON.stringify(this._hello!()));
    socket.onmessage = event => {
      if (this._socket === socket) {
        this._onMessage(JSON.parse(event.data) as Message);
      }
    };
    socket.onclose = () => {
      if (!this._isDisposed && this._socket === socket) {
        this._onClose();
      }
    };
  }

  private _onMessage(message: Message): void {
    this._tries = 0;
    this._heard = Date.now();
    this._beat = message.beat * 1000;
    this._expect(this._beat ? this._beat * BEATS : null);
    if (this._phase !== 'live') {
      this._problem = null;
      this._tell('live', null);
    }
    this.message.emit(message);
  }

  /** Count the connection as dead unless there is a message within so many milliseconds; null expects none. */
  private _expect(wait: number | null): void {
    window.clearTimeout(this._watchdog);
    if (wait !== null) {
      const due = Date.now() + wait;
      this._watchdog = window.setTimeout(() => this._onSilence(due), wait);
    }
  }

  private _onSilence(due: number): void {
    const wasAsleep = Date.now() - due > DOUBT;
    if (wasAsleep && this._socket?.readyState === WebSocket.OPEN) {
      this._onDoubt(); // messages may be waiting behind this timer
    } else {
      this._onClose(true);
    }
  }

  /** Something happened to the network, or to this page: ask, rather than believe what was. */
  private _onDoubt = (): void => {
    if (this._phase === 'live' && this._beat && this._socket?.readyState === WebSocket.OPEN) {
      this.send(this._hello!());
      this._expect(DOUBT);
    } else {
      this.retry();
    }
  };

  private _onClose(isSilent = false): void {
    this._drop();
    const wait = this._wait();
    this._tries += 1;
    this._timer = window.setTimeout(() => this._open(), wait);
    // One try in silence: a connection that only broke is back before anyone has to know.
    if (isSilent || this._tries > 1) {
      this._tell('gone', Date.now() / 1000 + wait / 1000);
      void this._findOut();
    }
  }

  /** Find out why, which may take as long as the network takes to give up. */
  private async _findOut(): Promise<void> {
    if (this._isAsking) {
      return;
    }
    this._isAsking = true;
    this._problem = await this.diagnose();
    this._isAsking = false;
    if (this._phase === 'gone' && !this._isDisposed) {
      this._tell('gone', this._retry);
    }
  }

  /** Let go of a socket, which a dead network wouldn't close for long. */
  private _drop(): void {
    const socket = this._socket;
    this._socket = null;
    this._expect(null);
    socket?.close();
  }

  private _wait(): number {
    if (document.hidden) {
      return HIDDEN_WAIT;
    }
    // Not all browsers of a restarted server at the same moment.
    const jitter = 0.75 + Math.random() / 2;
    return Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this._tries) * jitter;
  }

  private _tell(phase: IConnection['phase'], retry: number | null): void {
    if (phase !== this._phase) {
      this._phase = phase;
      // What is shown is as old as the last message.
      this._since = (phase === 'gone' && this._heard ? this._heard : Date.now()) / 1000;
    }
    this._retry = retry;
    this.connection.emit({ phase, since: this._since, retry, problem: this._problem });
  }

  private _address(): string {
    const { wsUrl, token, appendToken } = this.settings;
    const address = URLExt.join(wsUrl, 'jupyter-mlops', 'stream');
    return appendToken && token ? `${address}?token=${encodeURIComponent(token)}` : address;
  }

  private _clear(): void {
    window.clearTimeout(this._watchdog);
    if (this._timer !== null) {
      window.clearTimeout(this._timer);
      this._timer = null;
    }
  }

  private _onVisibility = (): void => {
    if (!document.hidden) {
      this._onDoubt();
    }
  };

  private _hello: (() => Hello) | null = null;
  private _socket: WebSocket | null = null;
  private _timer: number | null = null;
  private _watchdog: number | undefined = undefined;
  private _tries = 0;
  /** Milliseconds: when there was a message last; 0 before the first. */
  private _heard = 0;
  /** Milliseconds within which the server promised to be heard; 0 where it promised nothing. */
  private _beat = 0;
  private _phase: IConnection['phase'] = 'connecting';
  private _since = Date.now() / 1000;
  private _retry: number | null = null;
  private _problem: Problem | null = null;
  private _isAsking = false;
  private _isDisposed = false;
}
