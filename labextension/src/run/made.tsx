import React from 'react';

import { CommandIDs } from '../commands';
import { useFetched } from '../details/fetched';
import { useMlops, useSelector } from '../state/hooks';
import { RunState } from '../state/schema';

/** The versions of models that a run made; a click opens the model. Asked for anew when a model has changed. */
export function Made({ run }: { run: RunState }): JSX.Element | null {
  const { commands, store, trans } = useMlops();
  const changed = useSelector(state => Math.max(0, ...state.models.map(model => model.changed)));
  const { value } = useFetched(`${run.id} ${changed}`, async () =>
    changed > 0 ? store.api.versionsOf(run.id) : []
  );
  if (!value || value.length === 0) {
    return null;
  }
  return (
    <p className="jp-mlops-made" data-mlops="made">
      {trans.__('Made')}{' '}
      {value.map(version => (
        <button
          key={version}
          type="button"
          className="jp-mlops-link"
          title={trans.__('Open the model')}
          onClick={() =>
            void commands.execute(CommandIDs.openModel, { model: version.split('@')[0] })
          }
          data-mlops="made-version"
        >
          {version}
        </button>
      ))}
    </p>
  );
}
