import { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import { IGate } from './hooks';
import { IState } from './state';
import { Store } from './store';

/**
 * Lets the state through to a view while it can be seen. Hidden, the view keeps what it had and costs nothing; shown
 * again, it gets what is.
 */
export class Gate implements IGate, IDisposable {
  constructor(private readonly store: Store) {
    this._state = store.state;
    store.changed.connect(this._pass, this);
  }

  get state(): IState {
    return this._state;
  }

  get open(): boolean {
    return this._open;
  }

  set open(open: boolean) {
    this._open = open;
    this._pass();
  }

  subscribe(listener: () => void): () => void {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._listeners.clear();
    Signal.clearData(this);
  }

  private _pass(): void {
    if (this._open && this._state !== this.store.state) {
      this._state = this.store.state;
      this._listeners.forEach(listener => listener());
    }
  }

  private readonly _listeners = new Set<() => void>();
  private _state: IState;
  private _open = false;
  private _isDisposed = false;
}
