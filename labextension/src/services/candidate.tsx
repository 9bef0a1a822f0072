import React from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { useMlops } from '../state/hooks';
import { CandidateState, ServiceState } from '../state/schema';
import { isTried, rollBackLabel, splitWords } from '../words/candidate';
import { versionName } from '../words/model';

interface ICandidateProps {
  service: ServiceState;
  candidate: CandidateState;
}

/**
 * The version that is tried beside the one that serves: what it gets, how that is, and what one can do with it. One that
 * went back by itself says why, and can be compared still.
 */
export function CandidateRow({ service, candidate }: ICandidateProps): JSX.Element {
  const { commands, trans } = useMlops();
  const given = { service: service.name };
  const isShown: boolean = isTried(candidate);
  const tried = versionName(service.model, candidate.version);
  return (
    <div
      className="jp-mlops-candidate"
      data-mlops="candidate"
      data-way={candidate.way}
      data-phase={candidate.phase}
    >
      {isShown && <SplitBar service={service} candidate={candidate} />}
      {candidate.problem && <ProblemLine problem={candidate.problem} />}
      <div className="jp-mlops-service-row">
        {(isShown || !candidate.problem) && (
          <span className="jp-mlops-candidate-words" data-mlops="candidate-words">
            {candidate.words}
          </span>
        )}
        <span className="jp-mlops-service-buttons">
          {(isShown || candidate.verdicts.length > 0) && (
            <Button
              label={trans.__('How %1 compares with the version that serves', tried)}
              popup="dialog"
              onClick={() => commands.execute(CommandIDs.compareService, given)}
              handle="service-compare"
            >
              {trans.__('compare…')}
            </Button>
          )}
          {isShown && candidate.way !== 'shadow' && (
            <Button
              label={trans.__('Give %1 another share', tried)}
              popup="dialog"
              onClick={() => commands.execute(CommandIDs.shareService, given)}
              handle="service-share"
            >
              {trans.__('share…')}
            </Button>
          )}
          {isShown && (
            <>
              <Button
                label={trans.__('Have %1 serve', tried)}
                popup="dialog"
                onClick={() => commands.execute(CommandIDs.promoteService, given)}
                handle="service-promote"
              >
                {trans.__('promote…')}
              </Button>
              <Button
                label={rollBackLabel(trans, service)}
                popup="dialog"
                onClick={() => commands.execute(CommandIDs.rollBackService, given)}
                handle="service-roll-back"
              >
                {trans.__('roll back…')}
              </Button>
            </>
          )}
        </span>
      </div>
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
