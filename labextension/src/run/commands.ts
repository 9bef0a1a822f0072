import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';

import { choose, report } from '../ask';
import { CommandIDs, takes } from '../commands';
import { RunState } from '../state/schema';
import { isRunning, newest, runOf } from '../state/state';
import { Store } from '../state/store';
import { allTrials } from '../sweep/fetch';
import { runPhase } from '../words/run';
import { clock } from '../words/time';
import { confirmForget } from './forget';
import { download, fileOf, outputOf } from './output';

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

  commands.addCommand(CommandIDs.downloadRun, {
    label: trans.__('Download the Output of a Run…'),
    describedBy: takes({ run: 'string' }),
    execute: async args => {
      const run =
        runOf(store.state, args.run as string) ??
        (await pick(trans.__('The output of which run?'), () => true, trans.__('No run yet')));
      if (run) {
        await report(save(run));
      }
    }
  });

  const save = async (run: RunState): Promise<void> => {
    const entries = await store.api.journal(run.id);
    const trials = run.kind === 'sweep' ? await allTrials(store.api, run) : [];
    download(fileOf(run), outputOf(trans, run, entries, trials, store.now()));
  };

  commands.addCommand(CommandIDs.forgetRun, {
    label: trans.__('Remove a Run from the History…'),
    describedBy: { args: { type: 'object', properties: { runs: RUNS } } },
    execute: async args => {
      const over = (run: RunState): boolean => !isRunning(run);
      const asked = (args.runs as string[] | undefined)?.map(id => runOf(store.state, id));
      const picked = asked ?? [
        await pick(trans.__('Remove which run?'), over, trans.__('No run is over'))
      ];
      const runs = picked.filter(run => !!run).filter(over);
      if (runs.length > 0 && (await confirmForget(trans, runs))) {
        await report(forget(runs));
      }
    }
  });

  const forget = async (runs: readonly RunState[]): Promise<void> => {
    for (const { id } of runs) {
      await store.api.forgetRun(id);
      store.dropRun(id);
    }
  };
}

const RUNS = { type: 'array', items: { type: 'string' } };
