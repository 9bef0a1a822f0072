import React, { useEffect, useRef, useState } from 'react';

import { ISettingsRequest } from '../api';
import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { asProblem } from '../request';
import { codeOf, free, ISaid, LISTED, saidOf, withSaid } from '../settings/price';
import { useMlops, useSelector } from '../state/hooks';
import { ClusterState, Problem, Settings } from '../state/schema';
import { confirmFree } from './free';

/** Where nobody knows what a cluster costs, its owner may say it: for those that start from now on. */
export function PricePart({ cluster }: { cluster: ClusterState }): JSX.Element {
  const { store, trans } = useMlops();
  const [said, setSaid] = useState<ISaid | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const part = useRef<HTMLDivElement>(null);
  const wasOpen = useRef(false);
  const isSaid = useSelector(state =>
    state.profiles.some(
      ({ profile, estimate }) =>
        profile.name === cluster.profile && estimate.at_start !== null && estimate.asked === null
    )
  );
  const attempt = async (what: () => Promise<void>): Promise<void> => {
    setProblem(null);
    try {
      await what();
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  const open = (): Promise<void> =>
    attempt(async () => {
      setSaid(saidOf(await store.api.settings()));
    });
  const save = (change: (known: Settings) => ISettingsRequest): Promise<void> =>
    attempt(async () => {
      // Asked for again, so that what others have said meanwhile is not put back.
      await store.saveSettings(change(await store.api.settings()));
      setSaid(null);
    });
  const cancel = (): void => {
    setSaid(null);
    setProblem(null);
  };
  const focusFirst = (): void => part.current?.querySelector('button')?.focus();
  const sayFree = async (): Promise<void> => {
    if (await confirmFree(trans)) {
      await save(free);
      focusFirst();
    }
  };
  useEffect(() => {
    // The form had the keyboard: it goes back to the button that opened it.
    if (wasOpen.current && said === null) {
      focusFirst();
    }
    wasOpen.current = said !== null;
  }, [said]);
  return (
    <div className="jp-mlops-price" ref={part} data-mlops="price">
      {said === null && (
        <div className="jp-mlops-price-line">
          {isSaid && (
            <span data-mlops="price-said">
              {trans.__('Your price counts for clusters that start from now on.')}
            </span>
          )}
          <Button
            label={trans.__('Say what an hour costs you, and what list prices become')}
            onClick={open}
            handle="costs-me"
          >
            {isSaid ? trans.__('Change it…') : trans.__('It costs me…')}
          </Button>
          {!isSaid && (
            <Button
              label={trans.__('Count all machines as free, in clusters that start from now on')}
              onClick={sayFree}
              handle="free-for-me"
              popup="dialog"
            >
              {trans.__('It is free for me')}
            </Button>
          )}
        </div>
      )}
      {said !== null && (
        <Form
          said={said}
          cpus={cluster.cpus}
          onChange={setSaid}
          onCancel={cancel}
          onSave={() => save(known => withSaid(known, said))}
        />
      )}
      {problem && <ProblemLine problem={problem} onDismiss={() => setProblem(null)} />}
    </div>
  );
}

interface IFormProps {
  said: ISaid;
  /** CPUs that the cluster has. */
  cpus: number;
  onChange: (said: ISaid) => void;
  onCancel: () => void;
  onSave: () => Promise<void>;
}

function Form({ said, onChange, onCancel, onSave, ...props }: IFormProps): JSX.Element {
  const { trans } = useMlops();
  // Those that it had when the form was opened: what was chosen stays a choice when workers come and go.
  const [cpus] = useState(props.cpus);
  const amount = useRef<HTMLInputElement>(null);
  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.key === 'Escape') {
      onCancel();
    }
  };
  const field = (name: keyof ISaid, label: string, handle: string, first = false): JSX.Element => (
    <label>
      <span>{label}</span>
      <input
        type="text"
        className="jp-mod-styled"
        value={said[name]}
        ref={first ? amount : undefined}
        onKeyDown={onKeyDown}
        onChange={event => onChange({ ...said, [name]: event.target.value })}
        data-mlops={handle}
      />
    </label>
  );
  useEffect(() => amount.current?.focus(), []);
  const currency = codeOf(said.currency);
  return (
    <form
      className="jp-mlops-price-form"
      aria-label={trans.__('What it costs you')}
      onSubmit={event => {
        event.preventDefault();
        void onSave();
      }}
      data-mlops="price-form"
    >
      <div>
        {field('amount', trans.__('Amount'), 'price-amount', true)}
        {field('currency', trans.__('Currency'), 'price-currency')}
        <label>
          <span>{trans.__('for an hour of')}</span>
          <select
            className="jp-mod-styled"
            value={said.cpus}
            onKeyDown={onKeyDown}
            onChange={event => onChange({ ...said, cpus: Number(event.target.value) })}
            data-mlops="price-per"
          >
            <option value={1}>{trans.__('a CPU')}</option>
            {cpus > 1 && <option value={cpus}>{trans.__('these %1 CPUs', cpus)}</option>}
          </select>
        </label>
        {field('gpu', trans.__('A GPU for an hour'), 'price-gpu')}
      </div>
      <fieldset>
        <legend>{trans.__('Where a cloud’s price list counts')}</legend>
        {currency !== LISTED &&
          field('rate', trans.__('$1 in %1', currency || '?'), 'price-exchange')}
        {field('percent', trans.__('Discount in %'), 'price-discount')}
      </fieldset>
      <small>{trans.__('Counts for all your clusters that start from now on.')}</small>
      <div>
        <button type="submit" className="jp-mlops-button jp-mod-accent" data-mlops="price-save">
          {trans.__('Save')}
        </button>
        <Button
          label={trans.__('Leave the price as it is')}
          onClick={onCancel}
          handle="price-cancel"
        >
          {trans.__('Cancel')}
        </Button>
      </div>
    </form>
  );
}
