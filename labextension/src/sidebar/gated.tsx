import { ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import React from 'react';

import { Gate } from '../state/gate';
import { IContext, Provide } from '../state/hooks';

/**
 * A widget whose view is fed only while it can be seen.
 */
export class GatedWidget extends ReactWidget {
  constructor(
    context: Omit<IContext, 'gate'>,
    private readonly view: () => JSX.Element
  ) {
    super();
    this._gate = new Gate(context.store);
    this._context = { ...context, gate: this._gate };
    document.addEventListener('visibilitychange', this._onVisibility);
  }

  render(): JSX.Element {
    return <Provide context={this._context}>{this.view()}</Provide>;
  }

  dispose(): void {
    document.removeEventListener('visibilitychange', this._onVisibility);
    super.dispose();
    this._gate.dispose();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._onVisibility();
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._onVisibility();
  }

  protected onBeforeHide(message: Message): void {
    this._gate.open = false;
    super.onBeforeHide(message);
  }

  private _onVisibility = (): void => {
    this._gate.open = this.isVisible && !document.hidden;
  };

  private readonly _gate: Gate;
  private readonly _context: IContext;
}
