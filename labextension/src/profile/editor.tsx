import { addIcon } from '@jupyterlab/ui-components';
import { TranslationBundle } from '@jupyterlab/translation';
import React, { useState } from 'react';

import { IApi } from '../api';
import { Button } from '../controls/button';
import { asProblem } from '../request';
import { PlaceView, Problem, ProfileView } from '../state/schema';
import { IDraft, IGroupDraft, moved, NEW_GROUP, profileOf } from './draft';
import { EstimateLine, useVerdict } from './estimate';
import { Check, Text } from './fields';
import { GroupFields } from './group';

interface IEditorProps {
  api: IApi;
  trans: TranslationBundle;
  draft: IDraft;
  /** Places that this server has a way to. */
  places: readonly PlaceView[];
  /** Whether the profile is the user's own, and so can be removed. */
  removable: boolean;
  onSaved: (view: ProfileView) => void;
  onRemoved: (name: string) => void;
  onClose: () => void;
}

/** A form for a profile, with what it would cost while it is filled in. */
export function Editor(props: IEditorProps): JSX.Element {
  const { api, trans, onClose, onSaved, onRemoved } = props;
  const [draft, setDraft] = useState(props.draft);
  const [refused, setRefused] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const verdict = useVerdict(api, draft);
  const problem = refused ?? verdict.problem;
  const set = (part: Partial<IDraft>): void => {
    setRefused(null);
    setDraft({ ...draft, ...part });
  };
  const text = (
    key: 'name' | 'title' | 'description',
    label: string,
    width: number,
    hint?: string
  ) => (
    <Text
      label={label}
      value={draft[key]}
      width={width}
      hint={hint}
      handle={key}
      onChange={value => set({ [key]: value })}
    />
  );
  const limit = (key: keyof IDraft['limits'], label: string, hint: string) => (
    <Text
      label={label}
      value={draft.limits[key]}
      width={10}
      hint={hint}
      handle={key}
      onChange={value => set({ limits: { ...draft.limits, [key]: value } })}
    />
  );
  const rate = (key: keyof IDraft['price'], label: string) => (
    <Text
      label={label}
      value={draft.price[key]}
      width={8}
      handle={key}
      onChange={value => set({ price: { ...draft.price, [key]: value } })}
    />
  );
  const send = async <T,>(task: Promise<T>, done: (answer: T) => void): Promise<void> => {
    setBusy(true);
    try {
      done(await task);
      onClose();
    } catch (error) {
      setRefused(asProblem(error));
      setBusy(false);
    }
  };
  return (
    <form
      className="jp-mlops-editor"
      data-mlops="profile-editor"
      onSubmit={event => {
        event.preventDefault();
        void send(api.saveProfile(profileOf(draft)), onSaved);
      }}
    >
      <fieldset>
        <legend>{trans.__('Profile')}</legend>
        <div className="jp-mlops-fields">
          {text('name', trans.__('Name'), 20, trans.__('small-letters-and-dashes'))}
          {text('title', trans.__('Title'), 28)}
          {props.places.length > 1 && (
            <label className="jp-mlops-field">
              <span>{trans.__('Place')}</span>
              <select
                className="jp-mod-styled"
                value={draft.place}
                data-mlops="field-place"
                onChange={event => set(moved(draft, event.target.value))}
              >
                {props.places.map(place => (
                  <option key={place.name} value={place.name}>
                    {place.title}
                  </option>
                ))}
              </select>
            </label>
          )}
          {text('description', trans.__('Description'), 56)}
        </div>
      </fieldset>
      <Groups
        trans={trans}
        spots={props.places.some(place => place.name === draft.place && place.has_spot)}
        groups={draft.groups}
        onChange={groups => set({ groups })}
      />
      <fieldset>
        <legend>{trans.__('Stop by itself')}</legend>
        <div className="jp-mlops-fields">
          {limit('idle_timeout', trans.__('Unused for'), trans.__('never'))}
          {limit('lifetime', trans.__('After at most'), trans.__('never'))}
          {limit('budget', trans.__('Budget'), trans.__('none'))}
        </div>
      </fieldset>
      <fieldset>
        <legend>{trans.__('Price per hour')}</legend>
        <Check
          label={trans.__('Own rates, instead of those in the settings')}
          value={draft.priced}
          handle="priced"
          onChange={priced => set({ priced })}
        />
        {draft.priced && (
          <div className="jp-mlops-fields">
            {rate('cpu_hour', trans.__('CPU'))}
            {rate('gb_hour', trans.__('GB of memory'))}
            {rate('gpu_hour', trans.__('GPU'))}
            {rate('currency', trans.__('Currency'))}
          </div>
        )}
      </fieldset>
      <fieldset>
        <legend>{trans.__('Environment of the workers')}</legend>
        <textarea
          className="jp-mod-styled"
          rows={2}
          aria-label={trans.__('Environment variables, one a line: NAME=value')}
          placeholder="OMP_NUM_THREADS=1"
          value={draft.environment}
          onChange={event => set({ environment: event.target.value })}
          data-mlops="field-environment"
        />
      </fieldset>
      <div className="jp-mlops-verdict" role="status">
        {problem ? (
          <div className="jp-mlops-problem" data-mlops="problem">
            <div className="jp-mlops-problem-words">
              <div className="jp-mlops-problem-what">{problem.what}</div>
              <div className="jp-mlops-problem-why">{problem.why}</div>
              <div className="jp-mlops-problem-todo">{problem.todo}</div>
            </div>
          </div>
        ) : (
          verdict.estimate && <EstimateLine value={verdict.estimate} trans={trans} />
        )}
      </div>
      <div className="jp-Dialog-footer">
        {props.removable && (
          <button
            type="button"
            className="jp-Dialog-button jp-mod-warn jp-mod-styled"
            onClick={() => {
              const { name } = props.draft;
              void send(api.deleteProfile(name), () => onRemoved(name));
            }}
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
          disabled={busy || verdict.problem !== null || !draft.name.trim()}
          data-mlops="profile-save"
        >
          {trans.__('Save')}
        </button>
      </div>
    </form>
  );
}

function Groups(props: {
  trans: TranslationBundle;
  spots: boolean;
  groups: IGroupDraft[];
  onChange: (groups: IGroupDraft[]) => void;
}): JSX.Element {
  const { trans, spots, groups, onChange } = props;
  const add = (): void =>
    onChange([...groups, { ...NEW_GROUP, name: `group-${groups.length + 1}` }]);
  return (
    <fieldset>
      <legend>{trans.__('Workers')}</legend>
      {groups.map((group, index) => (
        <GroupFields
          key={index}
          trans={trans}
          spots={spots}
          group={group}
          onChange={changed => onChange(groups.map((old, at) => (at === index ? changed : old)))}
          onRemove={
            groups.length > 1 ? () => onChange(groups.filter((_, at) => at !== index)) : undefined
          }
        />
      ))}
      <Button
        icon={addIcon}
        label={trans.__('Add workers of another shape')}
        onClick={add}
        handle="group-add"
      >
        {trans.__('Group')}
      </Button>
    </fieldset>
  );
}
