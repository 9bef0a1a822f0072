import { ISignal, Signal } from '@lumino/signaling';

import { ClusterState } from '../state/schema';

/** The parts of the details, in the order of their tabs. */
export const PARTS = ['workers', 'timeline', 'events', 'logs', 'cost'] as const;

export type Part = (typeof PARTS)[number];

/** Which part is shown, and on which worker: settable from outside. */
export class Shown {
  constructor(
    private _part: Part,
    private _worker: string | null = null
  ) {}

  get part(): Part {
    return this._part;
  }

  /** The worker whose log is shown; null is the scheduler. */
  get worker(): string | null {
    return this._worker;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  show(part: Part, worker: string | null = this._worker): void {
    this._part = part;
    this._worker = worker;
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
}

/** What every part gets. */
export interface IPartProps {
  cluster: ClusterState;
  shown: Shown;
}
