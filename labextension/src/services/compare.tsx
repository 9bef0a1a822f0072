import { TranslationBundle } from '@jupyterlab/translation';
import React, { useState } from 'react';

import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { useFetched, useLooks } from '../details/fetched';
import { asProblem } from '../request';
import { useMlops, useSelector } from '../state/hooks';
import { CandidateState, Comparison, Problem, ServiceState } from '../state/schema';
import {
  comparedRange,
  comparedValue,
  comparedWord,
  comparisonState,
  isTried
} from '../words/candidate';
import { versionName } from '../words/model';
import { number } from '../words/number';
import { sentence } from '../words/word';
import { SplitBar } from './candidate';
import { Scrolled } from './scrolled';
import { ShareInput, shareOf, shareText } from './share';

/** Milliseconds between two looks: as often as a service compares. */
const EVERY = 5000;

/** How the version that is tried compares with the one that serves, looked at again and again; and what it gets. */
export function CompareView({ service: name }: { service: string }): JSX.Element {
  const { store, trans } = useMlops();
  const service = useSelector(state => state.services.find(each => each.name === name));
  const look = useLooks(EVERY);
  const asked = useFetched(`${name} ${look}`, () => store.api.serviceCandidate(name));
  const candidate = asked.value?.candidate ?? service?.candidate ?? null;
  return (
    <div className="jp-mlops-watch jp-mlops-versions" data-mlops="compare">
      {asked.problem && <ProblemLine problem={asked.problem} />}
      {service && candidate && <Compared service={service} candidate={candidate} trans={trans} />}
      {!asked.problem && asked.value && !candidate && (
        <p>{trans.__('No version is tried beside the one that serves.')}</p>
      )}
      {service && isTried(candidate) && candidate.way !== 'shadow' && (
        <Split service={service} candidate={candidate} />
      )}
    </div>
  );
}

interface IComparedProps {
  service: ServiceState;
  candidate: CandidateState;
  trans: TranslationBundle;
}

function Compared({ service, candidate, trans }: IComparedProps): JSX.Element {
  return (
    <>
      {isTried(candidate) && <SplitBar service={service} candidate={candidate} />}
      <p data-mlops="compare-words">
        {candidate.problem ? '' : `${sentence(candidate.words)} `}
        {trans._n(
          'It was asked %2 time',
          'It was asked %2 times',
          candidate.requests,
          number(candidate.requests)
        )}
        {candidate.errors > 0 &&
          trans._n(
            ', and failed %2 time',
            ', and failed %2 times',
            candidate.errors,
            number(candidate.errors)
          )}
        .
        {candidate.dropped > 0 &&
          ` ${trans.__('%1 copies were left out: there were too many at a time, or they were large.', number(candidate.dropped))}`}
      </p>
      {candidate.problem && <ProblemLine problem={candidate.problem} />}
      {candidate.verdicts.length > 0 && (
        <Scrolled label={trans.__('Comparisons')}>
          <table>
            <thead>
              <tr>
                <th scope="col">{trans.__('What')}</th>
                <th scope="col">{trans.__('How')}</th>
                <th scope="col">{versionName(service.model, service.version)}</th>
                <th scope="col">{versionName(service.model, candidate.version)}</th>
                <th
                  scope="col"
                  title={trans.__(
                    'What the version that is tried has more lies between these two, however often one looks'
                  )}
                >
                  {trans.__('More by')}
                </th>
              </tr>
            </thead>
            {candidate.verdicts.map(verdict => (
              <ComparisonRow key={verdict.name} verdict={verdict} trans={trans} />
            ))}
          </table>
        </Scrolled>
      )}
    </>
  );
}

/** A comparison, and below it what there is to say. */
function ComparisonRow(props: { verdict: Comparison; trans: TranslationBundle }): JSX.Element {
  const { verdict, trans } = props;
  const more = verdict.words.replace(`${verdict.state}: `, '');
  const hasNothing = verdict.state === 'no data' && verdict.words !== '';
  return (
    <tbody data-mlops="comparison" data-name={verdict.name} data-state={verdict.state}>
      <tr>
        <th scope="row">{comparedWord(trans, verdict.name)}</th>
        <td>{hasNothing ? verdict.words : comparisonState(trans, verdict.state)}</td>
        <td>{comparedValue(verdict.name, verdict.stable)}</td>
        <td>{comparedValue(verdict.name, verdict.candidate)}</td>
        <td>{comparedRange(verdict)}</td>
      </tr>
      {more && !hasNothing && (
        <tr className="jp-mlops-watch-words">
          <td colSpan={5}>{more}</td>
        </tr>
      )}
    </tbody>
  );
}

/** What the version that is tried gets: a share that can be set, and whether that grows by itself. */
function Split({
  service,
  candidate
}: {
  service: ServiceState;
  candidate: CandidateState;
}): JSX.Element {
  const { store, trans } = useMlops();
  const [typed, setTyped] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const expected = service.wanted;
  const change = async (asked: { share?: number; paused?: boolean }): Promise<void> => {
    try {
      await store.api.changeSplit(service.name, { ...asked, expected });
      setProblem(null);
      setTyped(null);
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  const shown = typed ?? shareText(candidate);
  const share = shareOf(shown);
  return (
    <form
      className="jp-mlops-split-form"
      onSubmit={event => {
        event.preventDefault();
        if (share !== null) {
          void change({ share });
        }
      }}
    >
      <label>
        {trans.__('It answers')} <ShareInput typed={shown} onType={setTyped} handle="split-share" />{' '}
        %
      </label>
      <Button
        label={trans.__('Give it this share; it stays there until it is told to go on')}
        onClick={() => (share === null ? undefined : change({ share }))}
        disabled={share === null}
        handle="split-set"
      >
        {trans.__('set')}
      </Button>
      {candidate.way === 'canary' &&
        (candidate.paused ? (
          <Button
            label={trans.__('Let its share grow by itself again')}
            onClick={() => change({ paused: false })}
            handle="split-resume"
          >
            {trans.__('go on')}
          </Button>
        ) : (
          <Button
            label={trans.__('Let its share stay; it goes back all the same where it does harm')}
            onClick={() => change({ paused: true })}
            handle="split-pause"
          >
            {trans.__('pause')}
          </Button>
        ))}
      <div role="status">{problem && <ProblemLine problem={problem} />}</div>
    </form>
  );
}
