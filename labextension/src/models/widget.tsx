import React from 'react';

import { mlopsIcon } from '../icons';
import { GatedWidget } from '../sidebar/gated';
import { IContext } from '../state/hooks';
import { ModelDetails } from './details';

/** The tab with all there is to know about a model. */
export class ModelWidget extends GatedWidget {
  constructor(
    context: Omit<IContext, 'gate'>,
    readonly model: string
  ) {
    super(context, () => <ModelDetails name={model} />);
    this.addClass('jp-mlops-details');
    this.title.icon = mlopsIcon;
  }
}
