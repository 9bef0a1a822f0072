import { TranslationBundle } from '@jupyterlab/translation';
import React, { useMemo, useRef, useState } from 'react';

import { IApi } from '../api';
import { PlaceView, ProfileView } from '../state/schema';
import { IDraft, moved, profileOf, withPoint } from './draft';
import { EstimateLine } from './estimate';
import { Check, IRemarks, RemarkLines, Remarked, Text, useControl } from './fields';
import { Groups } from './group';
import { labelAt, labels } from './labels';
import { IVerdict, ownFaults, placed, refused, useVerdict } from './verdict';

interface IEditorProps {
  api: IApi;
  trans: TranslationBundle;
  /** The server's time, in seconds since the epoch. */
  now: () => number;
  draft: IDraft;
  /** What is other in it than in the profile that it was made from, in words. */
  changes?: readonly string[];
  /** Places that this server has a way to. */
  places: readonly PlaceView[];
  /** Names of the user's other profiles. */
  taken: ReadonlySet<string>;
  /** Whether the profile is the user's own, and so can be removed. */
  removable: boolean;
  onSaved: (view: ProfileView) => void;
  onRemoved: (name: string) => void;
  onClose: () => void;
}

/** A form for a profile, with what it would cost, and what is wrong with it, while it is filled in. */
export function Editor(props: IEditorProps): JSX.Element {
  const { api, trans, taken, onClose, onSaved, onRemoved } = props;
  const [draft, setDraft] = useState(props.draft);
  const [refusal, setRefusal] = useState<IVerdict | null>(null);
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const asked = useVerdict(api, trans, draft);
  const verdict = refusal ?? asked;
  const remarks = useMemo(
    () => ({
      faults: verdict.faults,
      doubts: new Map([
        ...(taken.has(draft.name.trim())
          ? [
              [
                'name',
                trans.__('is that of a profile of yours: this one would replace it')
              ] as const
            ]
          : []),
        ...placed(trans, draft, verdict.estimate?.doubts ?? [])[0]
      ])
    }),
    [trans, verdict, draft, taken]
  );
  const set = (part: Partial<IDraft>): void => {
    setRefusal(null);
    setDraft({ ...draft, ...part });
  };
  const goTo = (at: string | undefined): void =>
    form.current!.querySelector<HTMLElement>(`[data-at="${at}"]`)?.focus();
  const send = async <T,>(task: Promise<T>, done: (answer: T) => void): Promise<void> => {
    setBusy(true);
    try {
      done(await task);
      onClose();
    } catch (error) {
      const verdict = refused(trans, draft, error);
      setRefusal(verdict);
      setBusy(false);
      goTo([...verdict.faults.keys()][0]);
    }
  };
  const save = (): void => {
    const faults = new Map([
      ...(draft.name.trim() ? [] : [['name', trans.__('is missing')] as const]),
      ...ownFaults(trans, draft)
    ]);
    if (faults.size > 0) {
      setRefusal({ estimate: null, faults, problem: null });
      goTo([...faults.keys()][0]);
    } else if (!busy) {
      void send(api.saveProfile(profileOf(draft)), onSaved);
    }
  };
  const remove = (): void => {
    const { name } = props.draft;
    void send(api.deleteProfile(name), () => onRemoved(name));
  };
  return (
    <form
      ref={form}
      className="jp-mlops-editor"
      data-mlops="profile-editor"
      noValidate
      onSubmit={event => {
        event.preventDefault();
        save();
      }}
    >
      <Remarked remarks={remarks}>
        <div className="jp-mlops-editor-fields">
          <Changes changes={props.changes ?? []} />
          <About draft={draft} trans={trans} places={props.places} onChange={set} />
          <Groups
            trans={trans}
            spots={props.places.some(place => place.name === draft.place && place.has_spot)}
            groups={draft.groups}
            onChange={groups => set({ groups })}
          />
          <Ends draft={draft} trans={trans} onChange={set} />
          <Rates draft={draft} trans={trans} onChange={set} />
          <Environment draft={draft} trans={trans} onChange={set} />
        </div>
      </Remarked>
      <Conclusion {...{ verdict, remarks, draft, trans, goTo }} now={props.now()} />
      <div className="jp-Dialog-footer">
        {props.removable && (
          <button
            type="button"
            className="jp-Dialog-button jp-mod-warn jp-mod-styled"
            disabled={busy}
            onClick={remove}
            data-mlops="profile-delete"
          >
            {trans.__('Delete')}
          </button>
        )}
        <span className="jp-Dialog-spacer" />
        <button
          type="button"
          className="jp-Dialog-button jp-mod-reject jp-mod-styled"
          onClick={onClose}
          data-mlops="profile-cancel"
        >
          {trans.__('Cancel')}
        </button>
        <button
          type="submit"
          className="jp-Dialog-button jp-mod-accept jp-mod-styled"
          aria-busy={busy}
          data-mlops="profile-save"
        >
          {trans.__('Save')}
        </button>
      </div>
    </form>
  );
}

/** What was changed before anybody typed. */
function Changes({ changes }: { changes: readonly string[] }): JSX.Element | null {
  if (changes.length === 0) {
    return null;
  }
  return (
    <ul className="jp-mlops-changes" data-mlops="changes">
      {changes.map(change => (
        <li key={change}>{change}</li>
      ))}
    </ul>
  );
}

interface IPartProps {
  draft: IDraft;
  trans: TranslationBundle;
  onChange: (part: Partial<IDraft>) => void;
}

/** What it is called, and where its clusters live. */
function About(props: IPartProps & { places: readonly PlaceView[] }): JSX.Element {
  const { draft, trans, places, onChange } = props;
  const words = labels(trans);
  const text = (key: 'name' | 'title' | 'description', width: number, hint?: string) => (
    <Text
      label={words[key]}
      value={draft[key]}
      width={width}
      hint={hint}
      at={key}
      handle={key}
      onChange={value => onChange({ [key]: value })}
    />
  );
  return (
    <fieldset>
      <legend>{trans.__('Profile')}</legend>
      <div className="jp-mlops-fields">
        {text('name', 24, trans.__('small-letters-and-dashes'))}
        {text('title', 28)}
        {places.length > 1 && (
          <label className="jp-mlops-field">
            <span>{words.place}</span>
            <select
              className="jp-mod-styled"
              value={draft.place}
              data-mlops="field-place"
              onChange={event => onChange(moved(draft, event.target.value))}
            >
              {places.map(place => (
                <option key={place.name} value={place.name}>
                  {place.title}
                </option>
              ))}
            </select>
          </label>
        )}
        {text('description', 56)}
        <RemarkLines labels={only(words, 'name', 'title', 'place', 'description')} />
      </div>
    </fieldset>
  );
}

/** When its clusters end by themselves. */
function Ends({ draft, trans, onChange }: IPartProps): JSX.Element {
  const words = labels(trans);
  const limit = (key: 'idle_timeout' | 'lifetime' | 'budget', hint: string) => (
    <Text
      label={words[`limits.${key}`]}
      value={draft.limits[key]}
      width={10}
      hint={hint}
      at={`limits.${key}`}
      handle={key}
      understood={withPoint}
      onChange={value => onChange({ limits: { ...draft.limits, [key]: value } })}
    />
  );
  return (
    <fieldset>
      <legend>{trans.__('Stop by itself')}</legend>
      <div className="jp-mlops-fields">
        {limit('idle_timeout', trans.__('never'))}
        {limit('lifetime', trans.__('never'))}
        {limit('budget', trans.__('none'))}
        {draft.limits.budget.trim() !== '' && (
          <label className="jp-mlops-field">
            <span>{words['limits.unknown_price']}</span>
            <select
              className="jp-mod-styled"
              value={draft.limits.unknown_price}
              data-mlops="field-unknown-price"
              onChange={event =>
                onChange({
                  limits: {
                    ...draft.limits,
                    unknown_price: event.target.value as IDraft['limits']['unknown_price']
                  }
                })
              }
            >
              <option value="assume">{trans.__('assume one, with care')}</option>
              <option value="refuse">{trans.__('stop: the budget needs prices')}</option>
              <option value="ignore">{trans.__('count what is known')}</option>
            </select>
          </label>
        )}
        <RemarkLines labels={only(words, 'limits.')} />
      </div>
    </fieldset>
  );
}

/** Rates of its own. */
function Rates({ draft, trans, onChange }: IPartProps): JSX.Element {
  const words = labels(trans);
  const rate = (key: keyof IDraft['price']) => (
    <Text
      label={words[`price.${key}`]}
      value={draft.price[key]}
      width={8}
      at={`price.${key}`}
      handle={key}
      understood={key === 'currency' ? undefined : withPoint}
      onChange={value => onChange({ price: { ...draft.price, [key]: value } })}
    />
  );
  return (
    <fieldset>
      <legend>{trans.__('Price per hour')}</legend>
      <Check
        label={trans.__('Own rates, instead of those in the settings')}
        value={draft.priced}
        handle="priced"
        onChange={priced => onChange({ priced })}
      />
      {draft.priced && (
        <div className="jp-mlops-fields">
          {rate('cpu_hour')}
          {rate('gb_hour')}
          {rate('gpu_hour')}
          {rate('currency')}
        </div>
      )}
      <RemarkLines labels={only(words, 'price.')} />
    </fieldset>
  );
}

/** Variables of the workers' environment. */
function Environment({ draft, trans, onChange }: IPartProps): JSX.Element {
  const control = useControl({ at: 'environment', handle: 'environment' });
  return (
    <fieldset>
      <legend>{trans.__('Environment of the workers')}</legend>
      <textarea
        {...control}
        className="jp-mod-styled"
        rows={2}
        aria-label={trans.__('Environment variables, one a line: NAME=value')}
        placeholder="OMP_NUM_THREADS=1"
        value={draft.environment}
        onChange={event => onChange({ environment: event.target.value })}
      />
      <RemarkLines labels={only(labels(trans), 'environment')} />
    </fieldset>
  );
}

/** What stands above the buttons, and so is always seen: what it would cost, or what keeps it from that. */
function Conclusion(props: {
  verdict: IVerdict;
  remarks: IRemarks;
  draft: IDraft;
  trans: TranslationBundle;
  now: number;
  goTo: (at: string) => void;
}): JSX.Element {
  const { verdict, remarks, draft, trans, goTo } = props;
  const { estimate, problem } = verdict;
  const wrong = [...remarks.faults.keys()];
  return (
    <div className="jp-mlops-verdict" role="status">
      {problem && (
        <div className="jp-mlops-problem" data-mlops="problem">
          <div className="jp-mlops-problem-words">
            <div className="jp-mlops-problem-what">{problem.what}</div>
            <div className="jp-mlops-problem-why">{problem.why}</div>
            <div className="jp-mlops-problem-todo">{problem.todo}</div>
          </div>
        </div>
      )}
      {!problem && wrong.length === 0 && estimate && (
        <EstimateLine value={estimate} trans={trans} now={props.now} />
      )}
      {wrong.length > 0 && (
        <p className="jp-mlops-wrong" data-mlops="wrong">
          {trans._n('Another value is needed in', 'Other values are needed in', wrong.length)}{' '}
          {wrong.map((at, index) => (
            <React.Fragment key={at}>
              {index > 0 && ', '}
              <button type="button" className="jp-mlops-link" onClick={() => goTo(at)}>
                {labelAt(trans, at, draft)}
              </button>
            </React.Fragment>
          ))}
        </p>
      )}
    </div>
  );
}

/** The labels of the fields whose paths begin with one of `starts`. */
function only(labels: Record<string, string>, ...starts: string[]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).filter(([at]) => starts.some(start => at.startsWith(start)))
  );
}
