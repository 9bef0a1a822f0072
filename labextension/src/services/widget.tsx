import React from 'react';

import { mlopsIcon } from '../icons';
import { GatedWidget } from '../sidebar/gated';
import { IContext } from '../state/hooks';
import { ServiceDetails } from './details';

/** The tab with all there is to know about a service. */
export class ServiceWidget extends GatedWidget {
  constructor(
    context: Omit<IContext, 'gate'>,
    readonly service: string
  ) {
    super(context, () => <ServiceDetails name={service} />);
    this.addClass('jp-mlops-details');
    this.title.icon = mlopsIcon;
  }
}
