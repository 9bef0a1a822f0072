import { Clipboard } from '@jupyterlab/apputils';
import { copyIcon } from '@jupyterlab/ui-components';
import React, { useState } from 'react';

import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { useFetched } from '../details/fetched';
import { useMlops, useSelector } from '../state/hooks';
import { ModelView } from '../state/schema';
import { gateNames, loadCode, versionName } from '../words/model';
import { number } from '../words/number';
import { clock } from '../words/time';
import { Trail } from './trail';
import { Version } from './version';

/** Versions that are shown at first: the newest, and the champion. */
const MOST = 20;

/** The details of a model: how it is used, its versions, its trail. Asked for anew when any of that has changed. */
export function ModelDetails({ name }: { name: string }): JSX.Element {
  const { store, trans } = useMlops();
  const changed = useSelector(state => state.models.find(model => model.name === name)?.changed);
  const [isWhole, setWhole] = useState(false);
  const { value: view, problem } = useFetched(`${name} ${changed}`, () => store.api.model(name));
  if (!view) {
    return problem ? (
      <div className="jp-mlops-scroll">
        <ProblemLine problem={problem} />
      </div>
    ) : (
      <p className="jp-mlops-hint">{trans.__('Loading…')}</p>
    );
  }
  const { aliases } = view.model;
  const all = view.model.versions;
  const shown = all.filter(
    ({ number, registered }, index) =>
      isWhole || index < MOST || (number === aliases.champion && !registered)
  );
  const first = aliases.champion ?? all[0]?.number;
  return (
    <>
      <Summary view={view} />
      <div className="jp-mlops-scroll jp-mlops-model-details" tabIndex={0}>
        {problem && <ProblemLine problem={problem} />}
        {view.model.problem && <ProblemLine problem={view.model.problem} />}
        {aliases.champion !== null && <Use name={name} />}
        <h3>{trans.__('Versions')}</h3>
        <ul data-mlops="versions">
          {shown.map(version => (
            <Version
              key={`${version.registered} ${version.number}`}
              view={view}
              version={version}
              isFirst={version.number === first && !version.registered}
            />
          ))}
        </ul>
        {shown.length < all.length && (
          <Button
            label={trans.__('Show all versions of %1', name)}
            onClick={() => setWhole(true)}
            handle="all-versions"
          >
            {trans.__('and %1 more', number(all.length - shown.length))}
          </Button>
        )}
        <h3>{trans.__('Trail')}</h3>
        <Trail entries={view.trail} />
      </div>
    </>
  );
}

function Summary({ view }: { view: ModelView }): JSX.Element {
  const { store, trans } = useMlops();
  const { name, aliases, description } = view.model;
  const { text, tags, owner } = description;
  const gates = gateNames(trans, view.gates);
  return (
    <div className="jp-mlops-summary" data-mlops="model-summary">
      <h2>{name}</h2>
      <span>
        {aliases.champion === null
          ? trans.__('no champion yet: promote a version')
          : trans.__('champion %1', versionName(name, aliases.champion))}
        {aliases.since !== null &&
          trans.__(', promoted %1 by %2', clock(aliases.since, store.now()), aliases.by)}
      </span>
      {(text || tags.length > 0 || owner) && (
        <span data-mlops="model-description">
          {[text, tags.join(', '), owner && trans.__('owner %1', owner)]
            .filter(Boolean)
            .join(' · ')}
        </span>
      )}
      <span>
        {gates.length > 0 ? trans.__('gates: %1', gates.join(', ')) : trans.__('no gates are set')}
      </span>
    </div>
  );
}

/** The line that loads it, to be copied. */
function Use({ name }: { name: string }): JSX.Element {
  const { trans } = useMlops();
  const [isCopied, setCopied] = useState(false);
  const code = loadCode(name);
  return (
    <div className="jp-mlops-use">
      <code className="jp-mlops-code" data-mlops="use-code">
        {code}
      </code>
      <Button
        icon={copyIcon}
        label={trans.__('Copy the line that loads its champion in a notebook')}
        onClick={() => {
          Clipboard.copyToSystem(code);
          setCopied(true);
        }}
        handle="copy"
      />
      <span role="status">{isCopied && trans.__('copied')}</span>
    </div>
  );
}
