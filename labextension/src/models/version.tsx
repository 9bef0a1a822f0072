import { TranslationBundle } from '@jupyterlab/translation';
import React, { useState } from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { asProblem } from '../request';
import { useMlops } from '../state/hooks';
import { Finding, ModelVersion, ModelView, Problem, Verdict } from '../state/schema';
import { measured, when } from '../words/model';
import { number as numeral, significant } from '../words/number';
import { size } from '../words/size';
import { clock } from '../words/time';
import { hasNotebook, isPromotable } from './commands';
import { Results } from './gates';
import { verdictOf } from './promote';

/** Measures that the line of a version has. */
const NAMED = 2;

interface IVersionProps {
  view: ModelView;
  version: ModelVersion;
  /** Whether it is open from the beginning. */
  isFirst: boolean;
}

/** A version in a line; opened, all there is to know about it. */
export function Version({ view, version, isFirst }: IVersionProps): JSX.Element {
  const { commands, store, trans } = useMlops();
  const [isOpen, setOpen] = useState(isFirst);
  const { name, aliases } = view.model;
  const isChampion = version.number === aliases.champion && !version.registered;
  const verdict = version.registered ? null : verdictOf(view, version.number);
  const info = infoOf(trans, version);
  return (
    <li
      className="jp-mlops-model-version"
      data-mlops="version"
      data-number={version.number}
      data-champion={isChampion}
    >
      <div className="jp-mlops-version-row">
        <button
          type="button"
          className="jp-mlops-name"
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
          data-mlops="version-open"
        >
          {name}@{version.number}
        </button>
        {isChampion && <span className="jp-mlops-alias">{trans.__('champion')}</span>}
        <span className="jp-mlops-info jp-mlops-version-info" title={info}>
          {info}
        </span>
        <GatesWord verdict={verdict} />
        <span className="jp-mlops-info">{when(trans, version.created, store.now())}</span>
        {isPromotable(view, version) && (
          <Button
            label={trans.__('Make %1@%2 the champion', name, version.number)}
            popup="dialog"
            onClick={() =>
              commands.execute(CommandIDs.promoteModel, { model: name, version: version.number })
            }
            handle="promote"
          >
            {trans.__('promote…')}
          </Button>
        )}
        {!version.registered && version.problem === null && (
          <Button
            label={trans.__(
              'Have %1@%2 answer at the address of the service %1',
              name,
              version.number
            )}
            onClick={() =>
              commands.execute(CommandIDs.deployModel, { model: name, version: version.number })
            }
            handle="deploy"
          >
            {trans.__('deploy')}
          </Button>
        )}
      </div>
      {version.problem && <ProblemLine problem={version.problem} />}
      {isOpen && version.problem === null && (
        <Facts model={name} version={version} verdict={verdict} />
      )}
    </li>
  );
}

/** How it did at its gates, in a word. */
function GatesWord({ verdict }: { verdict: Verdict | null }): JSX.Element | null {
  const { trans } = useMlops();
  if (!verdict || verdict.results.length === 0) {
    return null;
  }
  const failed = verdict.results.filter(result => !result.passed).map(result => result.gate);
  return (
    <span
      className="jp-mlops-gates-word"
      data-passed={failed.length === 0}
      data-mlops="gates-word"
      title={failed.join(', ')}
    >
      {failed.length === 0
        ? trans._n('✓ %1 gate', '✓ %1 gates', verdict.results.length)
        : trans.__('✗ %1', failed.join(', '))}
    </span>
  );
}

function infoOf(trans: TranslationBundle, version: ModelVersion): string {
  const measures = Object.entries(version.metrics)
    .slice(0, NAMED)
    .map(([name, { value }]) => `${name} ${significant(value, 3)}`);
  const others = version.registered ? [trans.__('registered by others in MLflow')] : [];
  return [...measures, ...others, version.owner].filter(Boolean).join(' · ');
}

function Facts(props: {
  model: string;
  version: ModelVersion;
  verdict: Verdict | null;
}): JSX.Element {
  const { store, trans } = useMlops();
  const { model, version, verdict } = props;
  const facts: [string, React.ReactNode][] = [
    ...Object.entries(version.metrics).map(([name, value]): [string, string] => [
      name,
      measured(trans, value)
    ]),
    [trans.__('Saved'), `${clock(version.created, store.now())}, ${version.owner}`],
    [trans.__('From run'), version.made.run && <FromRun version={version} />],
    [trans.__('From notebook'), version.made.notebook && <FromCell version={version} />],
    [
      trans.__('Size'),
      trans._n(
        '%2 in %1 file',
        '%2 in %1 files',
        Object.keys(version.files).length,
        size(version.size)
      )
    ],
    [trans.__('Kind'), [version.flavor, version.task].filter(Boolean).join(', ')],
    [
      trans.__('Needs'),
      trans._n(
        'Python %2, %3 package',
        'Python %2, %3 packages',
        Object.keys(version.packages).length,
        version.python,
        numeral(Object.keys(version.packages).length)
      )
    ],
    [trans.__('Note'), version.note]
  ];
  return (
    <div className="jp-mlops-run-details" data-mlops="version-details">
      <dl>
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
      {verdict && verdict.results.length > 0 && (
        <>
          <h4>{trans.__('Gates, judged %1', clock(verdict.time, store.now()))}</h4>
          <Results results={verdict.results} />
        </>
      )}
      {!version.registered && <Looks model={model} version={version} />}
    </div>
  );
}

/** The cell that it was made in; a click leads there. */
function FromCell({ version }: { version: ModelVersion }): JSX.Element {
  const { commands, trans } = useMlops();
  const { notebook, cell } = version.made;
  return (
    <button
      type="button"
      className="jp-mlops-link"
      title={trans.__('Go to the cell in %1', notebook)}
      onClick={() => void commands.execute(CommandIDs.revealCell, { notebook, cell })}
      data-mlops="version-cell"
    >
      {notebook.split('/').pop()}
    </button>
  );
}

/** The run that made it; a click leads to it. */
function FromRun({ version }: { version: ModelVersion }): JSX.Element {
  const { commands, trans } = useMlops();
  const { run, run_name } = version.made;
  return (
    <button
      type="button"
      className="jp-mlops-link"
      title={trans.__('Show the run in the sidebar')}
      onClick={() => void commands.execute(CommandIDs.openRun, { run })}
      data-mlops="version-run"
    >
      {run_name || run}
    </button>
  );
}

/** What is asked for by a click: whether it is as it was saved, its card, its notebook. */
function Looks({ model, version }: { model: string; version: ModelVersion }): JSX.Element {
  const { commands, store, trans } = useMlops();
  const { number } = version;
  const [found, setFound] = useState<readonly Finding[] | null>(null);
  const [card, setCard] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const ask = async <T,>(task: Promise<T>, done: (answer: T) => void): Promise<void> => {
    try {
      done(await task);
      setProblem(null);
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  return (
    <>
      <div className="jp-mlops-actions">
        <Button
          label={trans.__('Look whether its files, environment and trail are as they were')}
          onClick={() => ask(store.api.verify(model, number), setFound)}
          handle="verify"
        >
          {trans.__('verify')}
        </Button>
        <Button
          label={trans.__('Show its model card')}
          expanded={card !== null}
          onClick={() =>
            card === null ? ask(store.api.card(model, number), setCard) : setCard(null)
          }
          handle="card"
        >
          {trans.__('card')}
        </Button>
        {hasNotebook(version) && (
          <Button
            label={trans.__('Open a copy of the notebook that it was saved from, as it was')}
            onClick={() => commands.execute(CommandIDs.openNotebookOf, { model, version: number })}
            handle="version-notebook"
          >
            {trans.__('notebook as it was')}
          </Button>
        )}
      </div>
      {problem && <ProblemLine problem={problem} />}
      <div role="status">{found && <Results results={found} />}</div>
      {card !== null && (
        <pre className="jp-mlops-prints" tabIndex={0} aria-label={trans.__('Model card')}>
          {card || trans.__('It has no card.')}
        </pre>
      )}
    </>
  );
}
