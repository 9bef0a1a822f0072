import React from 'react';

import { mlopsIcon } from '../icons';
import { GatedWidget } from '../sidebar/gated';
import { IContext } from '../state/hooks';
import { CurvesView } from './view';

/** The tab with the curves of a run. */
export class CurvesWidget extends GatedWidget {
  constructor(
    context: Omit<IContext, 'gate'>,
    readonly run: string
  ) {
    super(context, () => <CurvesView run={run} />);
    this.addClass('jp-mlops-details');
    this.title.icon = mlopsIcon;
  }
}
