import React from 'react';

import { mlopsIcon } from '../icons';
import { GatedWidget } from '../sidebar/gated';
import { IContext } from '../state/hooks';
import { SweepView } from './view';

/** The tab with the trials of a sweep. */
export class SweepWidget extends GatedWidget {
  constructor(
    context: Omit<IContext, 'gate'>,
    readonly run: string
  ) {
    super(context, () => <SweepView run={run} />);
    this.addClass('jp-mlops-details');
    this.title.icon = mlopsIcon;
  }
}
