import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { ReadonlyJSONObject } from '@lumino/coreutils';

import { choose, report } from '../ask';
import { CommandIDs, takes } from '../commands';
import { ClusterState } from '../state/schema';
import { idOf, isLive, newest, spelled } from '../state/state';
import { Store } from '../state/store';
import { ended, wanted, workers } from '../words/cluster';
import { estimate } from '../words/money';
import { askLimits } from './limits';
import { askWorkers } from './number';
import { may, Verb } from './others';
import { confirmStop } from './stop';

type Args = ReadonlyJSONObject;

/** Add the commands that change clusters. */
export function addClusterCommands(
  commands: CommandRegistry,
  store: Store,
  trans: TranslationBundle
): void {
  const { api } = store;

  /** Ask for a live cluster that can do what is wanted of it, or for one that has ended. */
  const pick = (title: string, verb: Verb | null): Promise<ClusterState | null> => {
    const live = verb !== null;
    return choose(
      trans,
      title,
      newest(store.state.clusters.values(), cluster => cluster.id).filter(
        cluster => isLive(cluster) === live && (verb === null || may(cluster, verb))
      ),
      cluster =>
        live
          ? `${spelled(store.state.clusters, cluster.id)} – ${workers(trans, cluster.counts, wanted(cluster))}`
          : `${cluster.name} – ${ended(trans, cluster.cause)}`,
      live ? trans.__('No cluster is running') : trans.__('No cluster has ended')
    );
  };

  commands.addCommand(CommandIDs.startCluster, {
    label: args => (args.label as string) ?? trans.__('Start a Cluster…'),
    caption: trans.__('Start a Dask cluster from a profile'),
    describedBy: takes({ profile: 'string', name: 'string', workers: 'integer' }),
    execute: async args => {
      const profile = (args.profile as string) ?? (await pickProfile(store, trans));
      if (!profile) {
        return null;
      }
      void commands.execute(CommandIDs.openPanel);
      return store.startCluster({
        profile,
        ...(args.name ? { name: args.name as string } : {}),
        ...(args.workers !== undefined ? { workers: args.workers as number } : {})
      });
    }
  });

  commands.addCommand(CommandIDs.scaleCluster, {
    label: trans.__('Scale a Cluster…'),
    describedBy: takes({ cluster: 'string', group: 'string', workers: 'integer' }),
    execute: async args => {
      if (args.cluster !== undefined) {
        const { cluster, group, workers } = args as Args & Record<string, string & number>;
        const operation = await api.scale(cluster, group, workers);
        store.putOperation(operation);
        await store.untilTakenUp(operation.id);
        return;
      }
      const cluster = await pick(trans.__('Scale which cluster?'), 'scale');
      const group = cluster?.groups[0];
      const number = group && (await askWorkers(trans, cluster, group));
      if (cluster && group && number !== undefined && number !== null) {
        await report(api.scale(cluster.id, group.name, number));
      }
    }
  });

  commands.addCommand(CommandIDs.letGo, {
    label: trans.__('Let Idle Workers of a Cluster Go'),
    describedBy: takes({ cluster: 'string', group: 'string', workers: 'integer' }),
    execute: async args => {
      const cluster =
        store.state.clusters.get(idOf(store.state.clusters, args.cluster as string)) ??
        (await pick(trans.__('Let idle workers of which cluster go?'), 'let_go'));
      const group = (args.group as string) ?? cluster?.waste.find(({ spare }) => spare)?.group;
      if (!cluster) {
        return;
      }
      const most =
        (args.workers as number) ?? cluster.waste.find(each => each.group === group)?.spare;
      const going = api.letGo(cluster.id, group ?? cluster.groups[0].name, most ?? 1);
      if (args.cluster === undefined) {
        await report(going.then(operation => store.putOperation(operation)));
      } else {
        store.putOperation(await going);
      }
    }
  });

  commands.addCommand(CommandIDs.adaptCluster, {
    label: trans.__('Let a Cluster Follow Its Work'),
    describedBy: takes({
      cluster: 'string',
      group: 'string',
      minimum: 'integer',
      maximum: 'integer'
    }),
    execute: async args => {
      if (args.cluster !== undefined) {
        const { cluster, group, minimum, maximum } = args as Args & Record<string, string & number>;
        store.putOperation(await api.adapt(cluster, group, minimum, maximum));
        return;
      }
      const cluster = await pick(trans.__('Which cluster shall follow its work?'), 'adapt');
      const group = cluster?.groups[0];
      if (cluster && group) {
        await report(api.adapt(cluster.id, group.name, group.minimum, group.maximum));
      }
    }
  });

  commands.addCommand(CommandIDs.limitCluster, {
    label: args =>
      args.cluster
        ? trans.__('Budget and lifetime…')
        : trans.__('Budget and Lifetime of a Cluster…'),
    describedBy: takes({
      cluster: 'string',
      budget: 'number',
      lifetime: 'string',
      more_money: 'number',
      more_time: 'string'
    }),
    execute: async args => {
      const { cluster: named, ...change } = args as Args & Record<string, string>;
      if (named !== undefined && Object.keys(change).length > 0) {
        store.putOperation(await api.limit(named, change));
        return;
      }
      const cluster =
        store.state.clusters.get(idOf(store.state.clusters, named)) ??
        (await pick(trans.__('Other limits for which cluster?'), 'limit'));
      const asked = cluster && (await askLimits(trans, cluster));
      if (cluster && asked) {
        await report(api.limit(cluster.id, asked).then(done => store.putOperation(done)));
      }
    }
  });

  commands.addCommand(CommandIDs.stopCluster, {
    label: args => (args.cluster ? trans.__('Stop…') : trans.__('Stop a Cluster…')),
    describedBy: takes({ cluster: 'string' }),
    execute: async args => {
      const cluster =
        store.state.clusters.get(idOf(store.state.clusters, args.cluster as string)) ??
        (await pick(trans.__('Stop which cluster?'), 'stop'));
      if (cluster && (await confirmStop(trans, cluster, store.state))) {
        const force = cluster.phase === 'unreachable';
        await report(api.stop(cluster.id, force).then(operation => store.putOperation(operation)));
      }
    }
  });

  commands.addCommand(CommandIDs.forgetCluster, {
    label: trans.__('Remove an Ended Cluster from the List…'),
    describedBy: takes({ cluster: 'string' }),
    execute: async args => {
      const cluster =
        store.state.clusters.get(idOf(store.state.clusters, args.cluster as string)) ??
        (await pick(trans.__('Remove which cluster?'), null));
      if (cluster) {
        await report(api.forget(cluster.id));
      }
    }
  });
}

async function pickProfile(store: Store, trans: TranslationBundle): Promise<string | null> {
  const view = await choose(
    trans,
    trans.__('Start a cluster of which profile?'),
    store.state.profiles,
    view => `${view.profile.title || view.profile.name} – ${estimate(trans, view.estimate)}`,
    trans.__('There is no profile: the server doesn’t answer')
  );
  return view?.profile.name ?? null;
}
