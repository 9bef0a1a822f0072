import React from 'react';

import { useMlops } from '../state/hooks';

/** Where one types what clusters, runs, models, services and schedules are looked for; Escape shows all again. */
export function Filter(props: { value: string; onChange: (value: string) => void }): JSX.Element {
  const { trans } = useMlops();
  return (
    <div className="jp-mlops-filter" role="search">
      <input
        type="search"
        value={props.value}
        placeholder={trans.__('Filter clusters, runs, models, services, …')}
        aria-label={trans.__(
          'Filter clusters, runs, models, services and schedules by name, state, cluster, notebook or error'
        )}
        title={trans.__(
          'By name, state, cluster, notebook, error or code; several words must all be there'
        )}
        onChange={event => props.onChange(event.target.value)}
        onKeyDown={event => {
          if (event.key === 'Escape') {
            event.stopPropagation();
            props.onChange('');
          }
        }}
        data-mlops="filter"
      />
    </div>
  );
}
