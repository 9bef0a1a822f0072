import React from 'react';

import { mlopsIcon } from '../icons';
import { GatedWidget } from '../sidebar/gated';
import { IContext } from '../state/hooks';
import { Part, Shown } from './part';
import { Details } from './view';

/** The tab with all there is to know about a cluster, live or ended. */
export class DetailsWidget extends GatedWidget {
  constructor(
    context: Omit<IContext, 'gate'>,
    readonly cluster: string,
    part: Part = 'workers'
  ) {
    const shown = new Shown(part);
    super(context, () => <Details cluster={cluster} shown={shown} />);
    this.shown = shown;
    this.addClass('jp-mlops-details');
    this.title.icon = mlopsIcon;
  }

  readonly shown: Shown;
}
