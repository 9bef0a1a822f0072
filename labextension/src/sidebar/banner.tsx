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
  const { what, why, todo } = connection.problem ?? {
    what: trans.__('The Jupyter server doesn’t answer'),
    why: '',
    todo: trans.__('Clusters and detached runs go on without it.')
  };
  const shown = loaded ? trans.__('What is shown is how it was at %1.', since) : '';
  const problem = { what, why, todo: [shown, todo].filter(Boolean).join(' ') };
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
