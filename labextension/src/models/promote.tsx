import React, { useRef, useState } from 'react';

import { ProblemLine } from '../controls/problem';
import { asProblem, MlopsError } from '../request';
import { useMlops } from '../state/hooks';
import { ModelView, Problem, Verdict } from '../state/schema';
import { gateNames, versionName } from '../words/model';
import { clock } from '../words/time';
import { Results } from './gates';

interface IPromoteProps {
  view: ModelView;
  version: number;
  onClose: () => void;
}

/**
 * Asks whether a version is to be the champion, and says what its gates say. Where they refuse it, it can be promoted
 * all the same with a reason.
 */
export function PromoteForm({ view, version, onClose }: IPromoteProps): JSX.Element {
  const { store, trans } = useMlops();
  const { name, aliases } = view.model;
  const [verdict, setVerdict] = useState(() => verdictOf(view, version));
  const [isRefused, setRefused] = useState(false);
  const [why, setWhy] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const reason = useRef<HTMLInputElement>(null);
  const isMissing = isRefused && !why.trim();

  const send = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      const override = isRefused ? why.trim() : '';
      const expected = aliases.champion ?? 0;
      await store.api.promote(name, { version, why: why.trim(), override, expected });
      onClose();
      return;
    } catch (error) {
      if (error instanceof MlopsError && error.name === 'GatesFailed') {
        await store.api.model(name).then(
          now => setVerdict(verdictOf(now, version)),
          () => setProblem(asProblem(error))
        );
        setRefused(true);
        reason.current?.focus();
      } else {
        setProblem(asProblem(error));
      }
    }
    setBusy(false);
  };

  return (
    <form
      className="jp-mlops-promote"
      onSubmit={event => {
        event.preventDefault();
        if (!isBusy && !isMissing) {
          void send();
        }
      }}
      data-mlops="promote-dialog"
    >
      <p>
        {aliases.champion === null
          ? trans.__('%1 has no champion yet.', name)
          : trans.__('The champion is %1 now.', versionName(name, aliases.champion))}{' '}
        {trans.__('Who loads “%1” gets version %2 from then on.', name, version)}
      </p>
      <Gates view={view} verdict={verdict} isRefused={isRefused} />
      <label className="jp-mlops-field">
        <span>
          {isRefused
            ? trans.__('If it has to be: the reason, which the trail keeps')
            : trans.__('Why, for the trail; may be left out')}
        </span>
        <input
          ref={reason}
          type="text"
          className="jp-mod-styled"
          value={why}
          maxLength={5000}
          required={isRefused}
          onChange={event => setWhy(event.target.value)}
          data-mlops="promote-why"
        />
      </label>
      <div role="status">
        {isBusy && trans.__('Its gates judge it, which may take a while…')}
        {problem && <ProblemLine problem={problem} />}
      </div>
      <div className="jp-Dialog-footer">
        <span className="jp-Dialog-spacer" />
        <button
          type="button"
          className="jp-Dialog-button jp-mod-reject jp-mod-styled"
          onClick={onClose}
        >
          {trans.__('Cancel')}
        </button>
        <button
          type="submit"
          className={`jp-Dialog-button jp-mod-styled ${isRefused ? 'jp-mod-warn' : 'jp-mod-accept'}`}
          aria-disabled={isBusy || isMissing || undefined}
          aria-busy={isBusy || undefined}
          data-mlops="promote-now"
        >
          {isRefused ? trans.__('Promote all the same') : trans.__('Promote')}
        </button>
      </div>
    </form>
  );
}

function Gates(props: {
  view: ModelView;
  verdict: Verdict | null;
  isRefused: boolean;
}): JSX.Element {
  const { store, trans } = useMlops();
  const { view, verdict, isRefused } = props;
  const names = gateNames(trans, view.gates);
  if (names.length === 0) {
    return <p>{trans.__('No gates are set for it.')}</p>;
  }
  if (!verdict) {
    return (
      <p>
        {trans.__('Its gates judge it first: %1.', names.join(', '))}{' '}
        {trans.__('If it fails one it isn’t promoted.')}
      </p>
    );
  }
  const at = clock(verdict.time, store.now());
  return (
    <>
      <p>
        {isRefused
          ? trans.__('Its gates refuse it:')
          : trans.__('Its gates said this at %1. They judge it again before it is promoted.', at)}
      </p>
      <Results results={verdict.results} />
    </>
  );
}

/** How a version did at the gates when they judged it last; null where they didn't. */
export function verdictOf(view: ModelView, version: number): Verdict | null {
  return view.verdicts.find(verdict => verdict.version === version) ?? null;
}
