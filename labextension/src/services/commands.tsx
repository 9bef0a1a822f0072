import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import React from 'react';

import { choose, report } from '../ask';
import { CommandIDs, takes } from '../commands';
import { openForm, openView } from '../controls/dialogs';
import { pickModel } from '../models/commands';
import { ServiceState } from '../state/schema';
import { Store } from '../state/store';
import { canRollBack, isTried } from '../words/candidate';
import { versionName } from '../words/model';
import { CompareView } from './compare';
import { DecideForm, Decision } from './decide';
import { RetrainForm } from './retraining';
import { ShareForm } from './share';
import { TryForm } from './try';
import { How, waysToServe } from './ways';
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
        const how = where && (await pickHow(store, trans, model, version));
        if (how) {
          await report(store.api.deploy({ model, version, ...where, ...how }));
        }
      }
    }
  });
  /** Opens something of the service that is named, or picked among those that it can be opened of. */
  const onService =
    (open: typeof openTry, among = isReady, none = trans.__('No service is ready')) =>
    async (args: ReadonlyPartialJSONObject) => {
      const name =
        (args.service as string | undefined) ?? (await pickService(store, trans, among, none));
      if (name !== undefined) {
        await open(commands, store, trans, name);
      }
    };
  const noneTried = trans.__('No service tries a version');
  commands.addCommand(CommandIDs.tryService, {
    label: trans.__('Try a Service…'),
    caption: trans.__('Ask a service something, beginning with its version’s example'),
    describedBy: takes({ service: 'string' }),
    execute: onService(openTry)
  });
  commands.addCommand(CommandIDs.compareService, {
    label: trans.__('Compare the Versions of a Service…'),
    caption: trans.__('How the version that is tried compares with the one that serves'),
    describedBy: takes({ service: 'string' }),
    execute: onService(openComparison, triesOne, noneTried)
  });
  commands.addCommand(CommandIDs.shareService, {
    label: trans.__('Give the Version That a Service Tries Another Share…'),
    caption: trans.__('Have the version that is tried answer more of the callers, or less'),
    describedBy: takes({ service: 'string' }),
    execute: onService(openShare, sharesOne, noneTried)
  });
  commands.addCommand(CommandIDs.promoteService, {
    label: trans.__('Promote the Version That a Service Tries…'),
    caption: trans.__('Have the version that is tried answer everybody'),
    describedBy: takes({ service: 'string' }),
    execute: onService(openDecision('promote'), triesOne, noneTried)
  });
  commands.addCommand(CommandIDs.retrainService, {
    label: trans.__('Retrain a Service…'),
    caption: trans.__('Have the notebook run that its model comes from'),
    describedBy: takes({ service: 'string' }),
    execute: onService(openRetrain)
  });
  commands.addCommand(CommandIDs.rollBackService, {
    label: trans.__('Roll Back a Service…'),
    caption: trans.__('Have the version answer that did so before'),
    describedBy: takes({ service: 'string' }),
    execute: onService(
      openDecision('roll back'),
      canRollBack,
      trans.__('No service can be rolled back')
    )
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

/** How a version comes to serve, as somebody picks where there is a choice; null when they changed their mind. */
async function pickHow(
  store: Store,
  trans: TranslationBundle,
  model: string,
  version: number | 'champion'
): Promise<How | null> {
  const { services, models } = store.state;
  const champion = models.find(each => each.name === model)?.champion ?? 0;
  const number = version === 'champion' ? champion : version;
  const offered = waysToServe(trans, services, model, number);
  if (offered.length === 1) {
    return offered[0].how;
  }
  const title = trans.__('How is %1 to answer?', versionName(model, number));
  return (await choose(trans, title, offered, each => each.words, ''))?.how ?? null;
}

/** The name of the service that somebody picks; undefined when none is. */
export async function pickService(
  store: Store,
  trans: TranslationBundle,
  among: (service: ServiceState) => boolean,
  none: string
): Promise<string | undefined> {
  const found = store.state.services.filter(among);
  return (await choose(trans, trans.__('Which service?'), found, each => each.name, none))?.name;
}

function isReady(service: ServiceState): boolean {
  return service.phase === 'ready';
}

function triesOne(service: ServiceState): boolean {
  return isTried(service.candidate);
}

function sharesOne({ candidate }: ServiceState): boolean {
  return isTried(candidate) && candidate.way !== 'shadow';
}

function openComparison(
  commands: CommandRegistry,
  store: Store,
  trans: TranslationBundle,
  service: string
): Promise<void> {
  const title = trans.__('The versions of %1', service);
  return openView({ commands, store, trans }, title, <CompareView service={service} />);
}

/** Asks whether to decide so. */
function openDecision(decision: Decision): typeof openTry {
  return async (commands, store, trans, name) => {
    const service = store.state.services.find(each => each.name === name);
    if (service === undefined) {
      return;
    }
    const titles = {
      promote: trans.__('Promote the version that %1 tries?', name),
      'roll back': trans.__('Roll back %1?', name)
    };
    await openForm({ commands, store, trans }, titles[decision], 'input', onClose => (
      <DecideForm decision={decision} service={service} onClose={onClose} />
    ));
  };
}

async function openRetrain(
  commands: CommandRegistry,
  store: Store,
  trans: TranslationBundle,
  service: string
): Promise<void> {
  await openForm({ commands, store, trans }, trans.__('Retrain %1?', service), 'input', onClose => (
    <RetrainForm service={service} onClose={onClose} />
  ));
}

/** Asks for another share; nothing where no version is tried any more. */
async function openShare(
  commands: CommandRegistry,
  store: Store,
  trans: TranslationBundle,
  name: string
): Promise<void> {
  const service = store.state.services.find(each => each.name === name);
  const candidate = service?.candidate ?? null;
  if (!service || !isTried(candidate)) {
    return;
  }
  const title = trans.__('The share of %1', versionName(service.model, candidate.version));
  await openForm({ commands, store, trans }, title, 'input', onClose => (
    <ShareForm service={service} candidate={candidate} onClose={onClose} />
  ));
}

async function openTry(
  commands: CommandRegistry,
  store: Store,
  trans: TranslationBundle,
  service: string
): Promise<void> {
  await openForm({ commands, store, trans }, trans.__('Try %1', service), 'textarea', onClose => (
    <TryForm service={service} onClose={onClose} />
  ));
}
