import { TranslationBundle } from '@jupyterlab/translation';

import { ClusterState, ModelSummary, RunState, ScheduleView, ServiceState } from '../state/schema';
import { IState } from '../state/state';
import { phase } from './cluster';
import { runPhase } from './run';

/** Whether all of the words that somebody looks for are in what is shown of a thing, in any order and case. */
function matches(text: readonly string[], wanted: string): boolean {
  const within = text.join('\n').toLowerCase();
  return wanted
    .toLowerCase()
    .split(/\s+/)
    .every(word => within.includes(word));
}

/** Whether a cluster is one that is looked for: by its name, profile, place, owner, maker or state. */
export function matchesCluster(
  trans: TranslationBundle,
  places: IState['places'],
  cluster: ClusterState,
  wanted: string
): boolean {
  const { name, profile, owner, maker } = cluster;
  const place = places.get(cluster.place)?.title ?? cluster.place;
  return matches([name, profile, owner, maker, place, phase(trans, cluster.phase)], wanted);
}

/** Whether a run is one that is looked for: by its name, cluster, notebook, owner, state, error or code. */
export function matchesRun(trans: TranslationBundle, run: RunState, wanted: string): boolean {
  const { name, cluster, owner, error, code } = run;
  const errors = run.errors.map(fault => fault.error);
  const { notebook } = run.origin;
  return matches(
    [name, cluster, owner, notebook, runPhase(trans, run.phase), error, ...errors, code],
    wanted
  );
}

/** Whether a model is one that is looked for: by its name, owner, tags, text, measure or the gates that it failed. */
export function matchesModel(model: ModelSummary, wanted: string): boolean {
  const { name, owner, tags, text, metric, failed } = model;
  return matches([name, owner, ...tags, text, metric, ...failed], wanted);
}

/** Whether a service is one that is looked for: by its name, model, owner, address or what is wrong with it. */
export function matchesService(service: ServiceState, wanted: string): boolean {
  const { name, model, owner, address, problem } = service;
  return matches([name, model, owner, address, problem?.what ?? ''], wanted);
}

/** Whether a notebook that runs by itself is one that is looked for: by its path, when and where it runs, or how it went. */
export function matchesSchedule(schedule: ScheduleView, wanted: string): boolean {
  const { notebook, every, place, where, profile, cluster, phase, said } = schedule;
  return matches([notebook, every, place, where, profile, cluster ?? '', phase, said], wanted);
}
