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

  /** Open the menu of profiles, as a click on New does. */
  openNew(): void {
    requestAnimationFrame(() => {
      this.node.querySelector<HTMLButtonElement>('.jp-mlops-header [data-mlops="new"]')?.click();
    });
  }
}
