import React from 'react';

import { useMlops } from '../model/hooks';

/** What the sidebar shows. */
export function Panel(): JSX.Element {
  const { trans } = useMlops();
  return <h2>{trans.__('ML Ops')}</h2>;
}
