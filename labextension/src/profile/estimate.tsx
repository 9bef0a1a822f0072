import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { Estimate } from '../state/schema';
import { basis, estimate, money, reference } from '../words/money';

/** What a draft would cost. */
export function EstimateLine(props: {
  value: Estimate;
  trans: TranslationBundle;
  now: number;
}): JSX.Element {
  const { value, trans, now } = props;
  const elsewhere = value.reference;
  const cpus = trans._n('%1 CPU', '%1 CPUs', value.cpus);
  const parts = [
    trans.__('%1 and %2 GB at the start', cpus, value.memory_gb.toFixed(1)),
    estimate(trans, value),
    value.at_start === null && value.source,
    elsewhere && reference(trans, elsewhere.per_hour, elsewhere.currency),
    value.most !== null && trans.__('%1 at most', money(trans, value.most, value.currency))
  ];
  return (
    <p className="jp-mlops-estimate" title={basis(trans, value, now)} data-mlops="estimate">
      {parts.filter(Boolean).join(' · ')}
    </p>
  );
}
