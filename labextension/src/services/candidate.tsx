import React from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { useMlops } from '../state/hooks';
import { CandidateState, ServiceState } from '../state/schema';
import { isTried, splitWords } from '../words/candidate';

interface ICandidateProps {
  service: ServiceState;
  candidate: CandidateState;
}

/** The version that is tried beside the one that serves: what it gets, how that is, and what one can do with it. */
export function CandidateRow({ service, candidate }: ICandidateProps): JSX.Element {
  const { commands, trans } = useMlops();
  const { name } = service;
  return (
    <div
      className="jp-mlops-candidate"
      data-mlops="candidate"
      data-way={candidate.way}
      data-phase={candidate.phase}
    >
      {isTried(candidate) && <SplitBar service={service} candidate={candidate} />}
      <div className="jp-mlops-service-row">
        <span className="jp-mlops-candidate-words" data-mlops="candidate-words">
          {candidate.words}
        </span>
        <span className="jp-mlops-service-buttons">
          {isTried(candidate) && (
            <Button
              label={trans.__('How the two versions of %1 compare', name)}
              popup="dialog"
              onClick={() => commands.execute(CommandIDs.compareService, { service: name })}
              handle="service-compare"
            >
              {trans.__('compare…')}
            </Button>
          )}
          {isTried(candidate) && (
            <Button
              label={trans.__('Have version %1 of %2 serve', candidate.version, name)}
              popup="dialog"
              onClick={() => commands.execute(CommandIDs.promoteService, { service: name })}
              handle="service-promote"
            >
              {trans.__('promote…')}
            </Button>
          )}
        </span>
      </div>
      {candidate.problem && <ProblemLine problem={candidate.problem} />}
    </div>
  );
}

/** Which version answers how much. Stripes tell the candidate's part without colours, too. */
export function SplitBar({ service, candidate }: ICandidateProps): JSX.Element {
  const { trans } = useMlops();
  const words = splitWords(trans, service, candidate);
  const share = candidate.way === 'shadow' ? 0 : candidate.share;
  return (
    <div
      className="jp-mlops-split"
      role="img"
      aria-label={words}
      title={words}
      data-mlops="split"
      data-share={share}
    >
      <span data-kind="stable" style={{ width: `${100 * (1 - share)}%` }} />
      <span data-kind="candidate" style={{ width: `${100 * share}%` }} />
    </div>
  );
}
