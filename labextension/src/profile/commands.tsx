import { ReactWidget } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import React from 'react';

import { choose } from '../ask';
import { CommandIDs, takes } from '../commands';
import { FormDialog } from '../controls/form';
import { Advice, Profile, ProfileView, Promised } from '../state/schema';
import { runOf } from '../state/state';
import { Store } from '../state/store';
import { draftOf, freeName, namesWorkers, NEW_DRAFT, promiseOf, sized } from './draft';
import { Editor } from './editor';

/** Add the command that edits profiles. */
export function addProfileCommands(
  commands: CommandRegistry,
  store: Store,
  trans: TranslationBundle
): void {
  commands.addCommand(CommandIDs.editProfile, {
    label: args => (args.label as string) ?? trans.__('New Profile…'),
    caption: trans.__('Make a profile, or change one'),
    describedBy: takes({
      profile: 'string',
      choose: 'boolean',
      run: 'string',
      cluster: 'string'
    }),
    execute: async args => {
      const { profiles } = store.state;
      const run = runOf(store.state, String(args.run));
      const of = run ?? store.state.clusters.get(String(args.cluster));
      const name = of ? of.profile : args.profile;
      let view = profiles.find(view => view.profile.name === name);
      if (args.choose) {
        const chosen = await choose<ProfileView>(
          trans,
          trans.__('Edit which profile?'),
          profiles,
          view => view.profile.title || view.profile.name,
          trans.__('There is no profile: the server doesn’t answer')
        );
        if (!chosen) {
          return;
        }
        view = chosen;
      }
      // A cluster's advice is of all its runs.
      const promise = {
        run: run?.name ?? '',
        owner: run?.owner ?? '',
        profile: view?.profile.name ?? '',
        since: store.now()
      };
      await openEditor(
        store,
        trans,
        view?.profile ?? null,
        (of?.advice ?? []).filter(namesWorkers),
        promise
      );
    }
  });
}

/**
 * Others' profiles are saved under a new name, as the user's own; and so is one with the workers that `advice` names.
 */
async function openEditor(
  store: Store,
  trans: TranslationBundle,
  profile: Profile | null,
  advice: readonly Advice[],
  promise: Omit<Promised, 'saving'>
): Promise<void> {
  const isOwn = profile?.source === 'user' && advice.length === 0;
  const isNew = !profile || advice.length > 0;
  const draft = profile ? draftOf(profile) : NEW_DRAFT;
  const used = new Set(store.state.profiles.map(view => view.profile.place));
  const places = [...store.state.places.values()].filter(place => used.has(place.name));
  const own = store.state.profiles.filter(view => view.profile.source === 'user');
  const taken = new Set(own.map(view => view.profile.name));
  if (isOwn) {
    taken.delete(profile.name);
  }
  const name = advice.length > 0 ? freeName(`${draft.name}-sized`, taken) : `my-${draft.name}`;
  const [advised, changes] = sized(trans, draft, advice, profile);
  const promised = advice.length > 0 ? promiseOf(advice, promise) : draft.promise;
  const body = ReactWidget.create(
    <Editor
      api={store.api}
      trans={trans}
      now={() => store.now()}
      draft={profile && !isOwn ? { ...advised, name, promise: promised } : draft}
      changes={changes}
      places={places}
      taken={taken}
      removable={isOwn}
      onSaved={view => store.putProfile(view)}
      onRemoved={name => store.dropProfile(name)}
      onClose={() => dialog.reject()}
    />
  );
  const dialog = new FormDialog({
    title: isNew ? trans.__('New profile') : trans.__('Edit profile'),
    body,
    buttons: [],
    // A click beside it would lose what was typed.
    hasClose: false,
    focusNodeSelector: 'input'
  });
  dialog.addClass('jp-mlops-dialog');
  await dialog.launch();
}
