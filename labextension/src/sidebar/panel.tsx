import React from 'react';

import { Clusters } from '../cluster/list';
import { StartButton } from '../cluster/start';
import { Runs } from '../run/list';
import { useMlops } from '../state/hooks';
import { Announcer } from './announcer';
import { Banner } from './banner';

/** What the sidebar shows. */
export function Panel(): JSX.Element {
  const { trans } = useMlops();
  return (
    <>
      <div className="jp-mlops-header">
        <h2>{trans.__('ML Ops')}</h2>
        <StartButton />
      </div>
      <Banner />
      <div className="jp-mlops-body" tabIndex={-1}>
        <Clusters />
        <Runs />
      </div>
      <Announcer />
    </>
  );
}
