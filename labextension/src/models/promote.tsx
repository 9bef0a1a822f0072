import React, { useRef, useState } from 'react';

import { DialogForm } from '../controls/dialog-form';
import { MlopsError } from '../request';
import { useMlops } from '../state/hooks';
import { ModelView, Verdict } from '../state/schema';
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
  const reason = useRef<HTMLInputElement>(null);

  const send = async (): Promise<void> => {
    const override = isRefused ? why.trim() : '';
    const expected = aliases.champion ?? 0;
    try {
      await store.api.promote(name, { version, why: why.trim(), override, expected });
    } catch (error) {
      if (!(error instanceof MlopsError && error.name === 'GatesFailed')) {
        throw error;
      }
      setRefused(true);
      reason.current?.focus();
      const now = await store.api.model(name).catch(() => Promise.reject(error));
      setVerdict(verdictOf(now, version));
      return;
    }
    onClose();
  };

  return (
    <DialogForm
      handle="promote-dialog"
      send={send}
      isMissing={isRefused && !why.trim()}
      button={{
        label: isRefused ? trans.__('Promote all the same') : trans.__('Promote'),
        handle: 'promote-now',
        warns: isRefused
      }}
      close={{ label: trans.__('Cancel'), do: onClose }}
      busy={trans.__('Its gates judge it, which may take a while…')}
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
    </DialogForm>
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
