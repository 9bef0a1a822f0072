import { Widget } from '@lumino/widgets';

import { choose } from '../ask';
import { takes } from '../commands';
import { RunState } from '../state/schema';
import { newest, runOf } from '../state/state';
import { clock } from '../words/time';
import { ITabContext, Tabs } from './tabs';

/** The words of a command that opens a tab of a run. */
export interface IRunTabWords {
  label: string;
  caption: string;
  /** The question where no run is named, and the answer where there is none to choose. */
  which: string;
  none: string;
  /** Of the tab of a run of that name. */
  of: (name: string) => string;
}

/** The command that opens a tab of a run; of those that `fits` lets through, one is asked for where none is named. */
export function addRunTab<T extends Widget>(
  { store, commands, trans }: ITabContext,
  tabs: Tabs<T>,
  command: string,
  words: IRunTabWords,
  fits: (run: RunState) => boolean,
  make: (run: string) => T
): void {
  commands.addCommand(command, {
    label: words.label,
    caption: words.caption,
    describedBy: takes({ run: 'string' }),
    execute: async args => {
      const id = (args.run as string | undefined) ?? (await ask());
      if (id !== undefined) {
        const label = runOf(store.state, id)?.name ?? id;
        tabs.show(id, () => ({ content: make(id), label, caption: words.of(label) }));
      }
    }
  });

  async function ask(): Promise<string | undefined> {
    const runs = newest(store.state.runs.values(), run => run.id).filter(fits);
    const named = await choose(
      trans,
      words.which,
      runs,
      run => `${run.name}, ${clock(run.created, store.now())}`,
      words.none
    );
    return named?.id;
  }
}
