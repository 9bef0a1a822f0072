import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import React from 'react';

import { choose, report } from '../ask';
import { CommandIDs, takes } from '../commands';
import { FormDialog } from '../controls/form';
import { pickModel } from '../models/commands';
import { Gate } from '../state/gate';
import { Provide } from '../state/hooks';
import { Store } from '../state/store';
import { TryForm } from './try';
import { WatchView } from './watch';
import { Where, whereToServe } from './where';

/** Add the commands that deploy a version, and that ask a service. */
export function addServiceCommands(
  commands: CommandRegistry,
  store: Store,
  trans: TranslationBundle
): void {
  commands.addCommand(CommandIDs.deployModel, {
    label: trans.__('Deploy a Model…'),
    caption: trans.__('Have a version of a model answer at a stable address'),
    describedBy: takes({ model: 'string', version: 'number' }),
    execute: async args => {
      const model = (args.model as string | undefined) ?? (await pickModel(store, trans));
      if (model !== undefined) {
        const version = (args.version as number | undefined) ?? 'champion';
        const where = await pickWhere(store, trans, model);
        if (where !== null) {
          await report(store.api.deploy({ model, version, ...where }));
        }
      }
    }
  });
  /** Opens something of the service that is named, or picked. */
  const onService = (open: typeof openForm) => async (args: ReadonlyPartialJSONObject) => {
    const name = (args.service as string | undefined) ?? (await pickService(store, trans));
    if (name !== undefined) {
      await open(commands, store, trans, name);
    }
  };
  commands.addCommand(CommandIDs.tryService, {
    label: trans.__('Try a Service…'),
    caption: trans.__('Ask a service something, beginning with its version’s example'),
    describedBy: takes({ service: 'string' }),
    execute: onService(openForm)
  });
  commands.addCommand(CommandIDs.watchService, {
    label: trans.__('Watch a Service…'),
    caption: trans.__(
      'How what a service is asked compares with what its version was made with, and how good it is'
    ),
    describedBy: takes({ service: 'string' }),
    execute: onService(openWatch)
  });
}

/** Where a model is to answer, as somebody picks where there is a choice; null when they changed their mind. */
async function pickWhere(
  store: Store,
  trans: TranslationBundle,
  model: string
): Promise<Where | null> {
  const offered = whereToServe(store.state, model);
  if (offered.length === 1) {
    return offered[0].where;
  }
  const title = trans.__('Where is %1 to answer?', model);
  return (await choose(trans, title, offered, each => each.words, ''))?.where ?? null;
}

async function pickService(store: Store, trans: TranslationBundle): Promise<string | undefined> {
  const ready = store.state.services.filter(service => service.phase === 'ready');
  const none = trans.__('No service is ready');
  return (await choose(trans, trans.__('Which service?'), ready, each => each.name, none))?.name;
}

async function openWatch(
  commands: CommandRegistry,
  store: Store,
  trans: TranslationBundle,
  service: string
): Promise<void> {
  const gate = new Gate(store);
  const dialog = new Dialog({
    title: trans.__('Watch %1', service),
    body: ReactWidget.create(
      <Provide context={{ store, gate, commands, trans }}>
        <WatchView service={service} />
      </Provide>
    ),
    buttons: [Dialog.okButton({ label: trans.__('Close') })]
  });
  dialog.addClass('jp-mlops-watch-dialog');
  await dialog.launch();
  gate.dispose();
}

async function openForm(
  commands: CommandRegistry,
  store: Store,
  trans: TranslationBundle,
  service: string
): Promise<void> {
  const gate = new Gate(store);
  const body = ReactWidget.create(
    <Provide context={{ store, gate, commands, trans }}>
      <TryForm service={service} onClose={() => dialog.reject()} />
    </Provide>
  );
  const dialog = new FormDialog({
    title: trans.__('Try %1', service),
    body,
    buttons: [],
    hasClose: false,
    focusNodeSelector: 'textarea'
  });
  dialog.addClass('jp-mlops-dialog');
  await dialog.launch();
  gate.dispose();
}
