import { Contents } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import React from 'react';

import { choose, report } from '../ask';
import { CommandIDs, takes } from '../commands';
import { openForm } from '../controls/dialogs';
import { ModelView, ModelVersion } from '../state/schema';
import { Store } from '../state/store';
import { versionName, when } from '../words/model';
import { writeCopy } from './notebook';
import { PromoteForm } from './promote';

/** Add the command that promotes. */
export function addModelCommands(
  commands: CommandRegistry,
  store: Store,
  trans: TranslationBundle,
  contents: Pick<Contents.IManager, 'get' | 'save'>
): void {
  commands.addCommand(CommandIDs.promoteModel, {
    label: trans.__('Promote a Version of a Model…'),
    caption: trans.__('Make a version the one that its model’s name means'),
    describedBy: takes({ model: 'string', version: 'number' }),
    execute: async args => {
      const name = (args.model as string | undefined) ?? (await pickModel(store, trans));
      if (name !== undefined) {
        await report(ask(name, args.version as number | undefined));
      }
    }
  });

  commands.addCommand(CommandIDs.openNotebookOf, {
    label: trans.__('Open the Notebook of a Version as It Was…'),
    caption: trans.__('A copy of the notebook that a version was saved from, without outputs'),
    describedBy: takes({ model: 'string', version: 'number' }),
    execute: async args => {
      const name = (args.model as string | undefined) ?? (await pickModel(store, trans));
      if (name === undefined) {
        return;
      }
      const version =
        (args.version as number | undefined) ?? (await pickNotebook(store, trans, name));
      if (version !== undefined) {
        const open = async (): Promise<void> => {
          const path = await writeCopy(contents, await store.api.notebookOf(name, version));
          await commands.execute('docmanager:open', { path });
        };
        await report(open());
      }
    }
  });

  const ask = async (name: string, asked?: number): Promise<void> => {
    const view = await store.api.model(name);
    const version = asked ?? (await pickVersion(store, trans, view))?.number;
    if (version !== undefined) {
      const title = trans.__('Promote %1?', versionName(name, version));
      await openForm({ commands, store, trans }, title, 'input', onClose => (
        <PromoteForm view={view} version={version} onClose={onClose} />
      ));
    }
  };
}

/** The name of the model that somebody picks; undefined when none is. */
export async function pickModel(
  store: Store,
  trans: TranslationBundle
): Promise<string | undefined> {
  const { models } = store.state;
  const none = trans.__('No model yet');
  return (await choose(trans, trans.__('Which model?'), models, model => model.name, none))?.name;
}

/** Whether a version can become the champion. */
export function isPromotable(view: ModelView, version: ModelVersion): boolean {
  const isChampion = version.number === view.model.aliases.champion;
  return !isChampion && !version.registered && version.problem === null;
}

function pickVersion(
  store: Store,
  trans: TranslationBundle,
  view: ModelView
): Promise<ModelVersion | null> {
  return choose(
    trans,
    trans.__('Promote which version of %1?', view.model.name),
    view.model.versions.filter(version => isPromotable(view, version)),
    ({ number, created }) =>
      `${versionName(view.model.name, number)}, ${when(trans, created, store.now())}`,
    trans.__('%1 has no version but its champion', view.model.name)
  );
}

/** Whether the notebook is kept that a version was saved from. */
export function hasNotebook(version: ModelVersion): boolean {
  return 'notebook.ipynb' in version.files;
}

async function pickNotebook(
  store: Store,
  trans: TranslationBundle,
  name: string
): Promise<number | undefined> {
  const { model } = await store.api.model(name);
  const picked = await choose(
    trans,
    trans.__('The notebook of which version of %1?', name),
    model.versions.filter(hasNotebook),
    ({ number, created }) => `${versionName(name, number)}, ${when(trans, created, store.now())}`,
    trans.__('No version of %1 was saved from a notebook', name)
  );
  return picked?.number;
}
