import React from 'react';

import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { useMlops, useSelector } from '../state/hooks';
import { clock } from '../words/time';

/** Says that what is shown is old, and since when. */
export function Banner(): JSX.Element | null {
  const { store, trans } = useMlops();
  const connection = useSelector(state => state.connection);
  const loaded = useSelector(state => state.loaded);
  if (connection.phase !== 'gone') {
    return connection.phase === 'connecting' && !loaded ? (
      <p className="jp-mlops-hint">{trans.__('Connecting…')}</p>
    ) : null;
  }
  const since = clock(connection.since, Date.now() / 1000);
  const problem = connection.problem ?? {
    what: trans.__('The Jupyter server doesn’t answer'),
    why: '',
    todo: loaded
      ? trans.__('Shown is how it was at %1. Clusters and detached runs go on without it.', since)
      : trans.__('Clusters and detached runs go on without it.')
  };
  return (
    <div className="jp-mlops-banner" role="status" data-mlops="gone">
      <ProblemLine problem={problem}>
        <Button label={trans.__('Connect again now')} onClick={() => store.retry()} handle="retry">
          {trans.__('Try again')}
        </Button>
      </ProblemLine>
    </div>
  );
}
