import React, { memo, useMemo } from 'react';

import { CommandIDs } from '../commands';
import { ProblemLine } from '../controls/problem';
import { Section } from '../sidebar/section';
import { useMlops, useNow, useSelector } from '../state/hooks';
import { ModelSummary } from '../state/schema';
import { matchesModel } from '../words/match';
import { failedWords, modelInfo } from '../words/model';

/** The models by name; those only that are `wanted`, where that isn't empty. */
export function Models({ wanted }: { wanted: string }): JSX.Element {
  const { trans } = useMlops();
  const all = useSelector(state => state.models);
  const loaded = useSelector(state => state.loaded);
  const shown = useMemo(
    () => all.filter(model => !wanted || matchesModel(model, wanted)),
    [all, wanted]
  );
  const code = 'mlops.save_model(model, "name", valid=(X, y))';
  return (
    <Section name="models" title={trans.__('Models')} count={all.length} shown={shown.length}>
      {loaded && all.length === 0 && (
        <p className="jp-mlops-hint">
          {trans.__('No model yet. In a notebook, this saves the first:')}{' '}
          <code className="jp-mlops-code">{code}</code>
        </p>
      )}
      {all.length > 0 && shown.length === 0 && (
        <p className="jp-mlops-hint">{trans.__('No model has “%1”.', wanted)}</p>
      )}
      <ul className="jp-mlops-models">
        {shown.map(model => (
          <Row key={model.name} model={model} />
        ))}
      </ul>
    </Section>
  );
}

/** A model in a line; a click opens its details. */
const Row = memo(function Row({ model }: { model: ModelSummary }): JSX.Element {
  const { commands, trans } = useMlops();
  const now = useNow(3600);
  const info = modelInfo(trans, model, now);
  const failed = failedWords(trans, model);
  const number = model.champion ?? model.newest;
  return (
    <li className="jp-mlops-model" data-mlops="model" data-name={model.name}>
      <div className="jp-mlops-model-row">
        <button
          type="button"
          className="jp-mlops-name"
          title={[
            trans.__('Versions, gates and trail of %1', model.name),
            model.text,
            model.tags.join(', ')
          ]
            .filter(Boolean)
            .join('\n')}
          onClick={() => void commands.execute(CommandIDs.openModel, { model: model.name })}
          data-mlops="model-open"
        >
          <span>{model.name}</span>
          {number !== null && <span className="jp-mlops-version">@{number}</span>}
        </button>
        <span className="jp-mlops-info" title={info} data-mlops="model-info">
          {info}
        </span>
      </div>
      {failed && (
        <p className="jp-mlops-model-failed" title={failed} data-mlops="model-failed">
          {failed}
        </p>
      )}
      {model.problem && <ProblemLine problem={model.problem} />}
    </li>
  );
});
