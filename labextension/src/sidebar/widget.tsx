import React from 'react';

import { mlopsIcon } from '../icons';
import { IContext } from '../state/hooks';
import { GatedWidget } from './gated';
import { Panel } from './panel';

/** The panel in Lab's sidebar. */
export class Sidebar extends GatedWidget {
  constructor(context: Omit<IContext, 'gate'>) {
    super(context, () => <Panel />);
    const { trans } = context;
    this.id = 'jupyter-mlops-sidebar';
    this.addClass('jp-mlops-sidebar');
    this.title.icon = mlopsIcon;
    this.title.caption = trans.__('ML Ops: clusters, runs and their cost');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('ML Ops'));
  }

  /**
   * Show a run among the others, opened, whatever they are filtered by.
   *
   * @returns false when it isn't listed.
   */
  async openRun(id: string): Promise<boolean> {
    const find = (selector: string): HTMLElement | null => this.node.querySelector(selector);
    const drawn = (): Promise<number> => new Promise(resolve => requestAnimationFrame(resolve));
    await drawn();
    find('[data-mlops="fold-runs"][aria-expanded="false"]')?.click();
    const key = { key: 'Escape', bubbles: true };
    find('[data-mlops="filter"]')?.dispatchEvent(new KeyboardEvent('keydown', key));
    await drawn();
    const row = find(`[data-mlops="run"][data-id="${CSS.escape(id)}"] [data-mlops="run-open"]`);
    if (row?.getAttribute('aria-expanded') === 'false') {
      row.click();
    }
    row?.focus();
    row?.scrollIntoView({ block: 'nearest' });
    return row !== null;
  }

  /** Open the menu of profiles, as a click on New does. */
  openNew(): void {
    requestAnimationFrame(() => {
      this.node.querySelector<HTMLButtonElement>('.jp-mlops-header [data-mlops="new"]')?.click();
    });
  }
}
