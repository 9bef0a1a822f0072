import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';

import { choose, report } from '../ask';
import { CommandIDs, takes } from '../commands';
import { RunState } from '../state/schema';
import { isRunning, newest } from '../state/state';
import { Store } from '../state/store';
import { runPhase } from '../words/run';
import { clock } from '../words/time';

/** Add the commands that change runs. */
export function addRunCommands(
  commands: CommandRegistry,
  store: Store,
  trans: TranslationBundle
): void {
  const pick = (
    title: string,
    among: (run: RunState) => boolean,
    none: string
  ): Promise<RunState | null> =>
    choose(
      trans,
      title,
      newest(store.state.runs.values(), run => run.id).filter(among),
      run => `${run.name} – ${runPhase(trans, run.phase)}, ${clock(run.created, store.now())}`,
      none
    );

  commands.addCommand(CommandIDs.cancelRun, {
    label: trans.__('Cancel a Run…'),
    describedBy: takes({ run: 'string' }),
    execute: async args => {
      if (args.run !== undefined) {
        store.putOperation(await store.api.cancel(args.run as string));
        return;
      }
      const run = await pick(trans.__('Cancel which run?'), isRunning, trans.__('Nothing runs'));
      if (run) {
        await report(store.api.cancel(run.id));
      }
    }
  });

  commands.addCommand(CommandIDs.repeatRun, {
    label: trans.__('Run Again…'),
    describedBy: takes({ run: 'string', cluster: 'string' }),
    execute: async args => {
      if (args.run !== undefined) {
        const cluster = args.cluster as string | undefined;
        store.putOperation(await store.api.again(args.run as string, cluster));
        return;
      }
      const run = await pick(
        trans.__('Run what again?'),
        run => run.repeatable && !isRunning(run),
        trans.__('No run has kept its input')
      );
      if (run) {
        await report(store.api.again(run.id));
      }
    }
  });
}
