import React from 'react';

import { IApi } from '../api';
import { useFetched } from '../details/fetched';

interface IMissedProps {
  api: Pick<IApi, 'serviceCallers'>;
  service: string;
}

/** Who called a service lately, and so would miss it, as far as that can be told. */
export function Missed({ api, service }: IMissedProps): JSX.Element | null {
  const { value } = useFetched(service, () => api.serviceCallers(service));
  return value?.words ? <p data-mlops="missed">{value.words}</p> : null;
}
