import React, { useState } from 'react';

import { DialogForm } from '../controls/dialog-form';
import { useMlops } from '../state/hooks';
import { CandidateState, ServiceState } from '../state/schema';
import { versionName } from '../words/model';
import { Why } from './why';

interface IShareProps {
  /** The service as it is when that is asked: should it change meanwhile, nothing is done. */
  service: ServiceState;
  candidate: CandidateState;
  onClose: () => void;
}

/** Asks what part of the callers the version that is tried is to get. */
export function ShareForm({ service, candidate, onClose }: IShareProps): JSX.Element {
  const { store, trans } = useMlops();
  const [typed, setTyped] = useState(shareText(candidate));
  const [why, setWhy] = useState('');
  const share = shareOf(typed);
  const tried = versionName(service.model, candidate.version);
  const stable = versionName(service.model, service.version);
  const send = async (): Promise<void> => {
    const expected = service.wanted;
    await store.api.changeSplit(service.name, { share: share!, why: why.trim(), expected });
    onClose();
  };
  return (
    <DialogForm
      handle="share-dialog"
      send={send}
      isMissing={share === null}
      button={{ label: trans.__('Set'), handle: 'share-now' }}
      close={{ label: trans.__('Cancel'), do: onClose }}
    >
      <p>
        {trans.__(
          'Who gets %1 gets the same version each time; %2 answers the others.',
          tried,
          stable
        )}
        {candidate.way === 'canary' &&
          ` ${trans.__('It stays at this share until it is told to go on.')}`}
      </p>
      <label className="jp-mlops-field">
        <span>{trans.__('Part of the callers, in percent')}</span>
        <ShareInput typed={typed} onType={setTyped} handle="share-percent" />
      </label>
      <Why value={why} onChange={setWhy} handle="share-why" />
    </DialogForm>
  );
}

interface IShareInputProps {
  typed: string;
  onType: (typed: string) => void;
  handle: string;
}

/** Where a share is typed, in percent. */
export function ShareInput({ typed, onType, handle }: IShareInputProps): JSX.Element {
  return (
    <input
      type="number"
      className="jp-mod-styled"
      min={0}
      max={100}
      step="any"
      value={typed}
      aria-invalid={shareOf(typed) === null}
      onChange={event => onType(event.target.value)}
      data-mlops={handle}
    />
  );
}

/** A share as people type it: percent. */
export function shareText({ share }: CandidateState): string {
  return String(Math.round(share * 1000) / 10);
}

/** The share that was typed in percent; null where that is none. */
export function shareOf(typed: string): number | null {
  const share = typed.trim() === '' ? NaN : Number(typed) / 100;
  return share >= 0 && share <= 1 ? share : null;
}
