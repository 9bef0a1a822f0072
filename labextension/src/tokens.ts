import { Token } from '@lumino/coreutils';
import { IDisposable } from '@lumino/disposable';
import { ISignal } from '@lumino/signaling';

import { IApi } from './api';
import { Followed, IState } from './state/state';

/**
 * The clusters and runs of this Jupyter server, live, for other extensions: what is, and how to ask for something else.
 */
export interface IMlops {
  /** What is shown now. Never changed in place: what hasn't changed stays the same object. */
  readonly state: IState;

  /** Emitted with the state before, at most five times a second. */
  readonly changed: ISignal<IMlops, IState>;

  /** The server's commands and questions; what they did comes back through the state. */
  readonly api: IApi;

  /** Seconds since the epoch by the server's clock, by which all times in the state are. */
  now(): number;

  /** Have the workers and events of a cluster, or the journal of a run, in the state until disposed. */
  follow(noun: Followed, id: string): IDisposable;
}

/** The token under which `IMlops` is provided. */
export const IMlops = new Token<IMlops>(
  'jupyter-mlops:IMlops',
  'The clusters and runs of this Jupyter server, live.'
);
