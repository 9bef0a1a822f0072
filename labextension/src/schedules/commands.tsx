import { PathExt } from '@jupyterlab/coreutils';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import React from 'react';

import { choose, report } from '../ask';
import { CommandIDs, takes } from '../commands';
import { openForm, openView } from '../controls/dialogs';
import { ScheduleView } from '../state/schema';
import { Store } from '../state/store';
import { ScheduleForm } from './form';
import { ScheduleLog } from './log';

/** The notebooks that are open. */
export interface INotebooks {
  /** The path of the one that is worked with, from the server's root on; null where there is none. */
  current(): string | null;
  /** Write one down, if it is open and was changed. */
  save(path: string): Promise<void>;
}

/** Add the commands by which notebooks run by themselves. */
export function addScheduleCommands(
  commands: CommandRegistry,
  store: Store,
  trans: TranslationBundle,
  notebooks: INotebooks
): void {
  const context = { commands, store, trans };
  const all = (): readonly ScheduleView[] => store.state.schedules.schedules;
  const one = async (args: { schedule?: unknown }): Promise<ScheduleView | null> =>
    all().find(each => each.id === args.schedule) ??
    (await choose(
      trans,
      trans.__('Which notebook?'),
      all(),
      ({ path, notebook }) => path || notebook,
      trans.__('No notebook runs by itself')
    ));

  commands.addCommand(CommandIDs.scheduleNotebook, {
    label: trans.__('Run by Itself…'),
    caption: trans.__('Have the steps of this notebook run at set times'),
    describedBy: takes({ path: 'string' }),
    isEnabled: args => typeof args.path === 'string' || notebooks.current() !== null,
    execute: async args => {
      const path = (args.path as string | undefined) ?? notebooks.current();
      if (path === null) {
        return;
      }
      const before = all().find(each => each.path === path) ?? null;
      const title = trans.__('Run %1 by itself', PathExt.basename(path));
      await openForm(context, title, 'input', onClose => (
        <ScheduleForm
          path={path}
          before={before}
          save={() => notebooks.save(path)}
          onClose={onClose}
        />
      ));
    }
  });
  commands.addCommand(CommandIDs.scheduleLog, {
    label: trans.__('Show What a Notebook That Runs by Itself Printed…'),
    describedBy: takes({ schedule: 'string' }),
    execute: async args => {
      const schedule = await one(args);
      if (schedule) {
        const title = trans.__('The last run of %1', PathExt.basename(schedule.notebook));
        await openView(context, title, <ScheduleLog id={schedule.id} />);
      }
    }
  });
  commands.addCommand(CommandIDs.runScheduled, {
    label: trans.__('Run a Notebook That Runs by Itself Now…'),
    describedBy: takes({ schedule: 'string' }),
    execute: async args => {
      const schedule = await one(args);
      if (schedule) {
        await report(store.api.runScheduled(schedule.id));
      }
    }
  });
}
