import { TranslationBundle } from '@jupyterlab/translation';

import { Budget, CandidateState, ClusterState, RunState, ServiceState } from '../state/schema';
import { IState, isLive, isRunning } from '../state/state';
import { step, used } from '../words/budget';
import { isTried } from '../words/candidate';
import { ended } from '../words/cluster';
import { versionName } from '../words/model';
import { money } from '../words/money';
import { summary } from '../words/run';
import { best, trialsOf } from '../words/sweep';
import { span } from '../words/time';

/** Seconds that a run must have taken for its end to be news: who waits that long is looking elsewhere. */
export const LONG = 10;

/** Something to tell a user who may be looking elsewhere. */
export interface INotice {
  kind: 'success' | 'error' | 'info' | 'warning';
  text: string;
  run?: RunState;
  cluster?: ClusterState;
  service?: ServiceState;
}

/** What is news in the step from one state to the next. */
export function noticesOf(trans: TranslationBundle, before: IState, after: IState): INotice[] {
  if (!before.loaded) {
    return [];
  }
  const notices: INotice[] = [];
  if (before.runs !== after.runs) {
    for (const [id, run] of after.runs) {
      const old = before.runs.get(id);
      if (old && isRunning(old) && !isRunning(run) && tookOf(run) >= LONG) {
        notices.push(...runNotice(trans, run));
      }
    }
  }
  if (before.clusters !== after.clusters) {
    for (const [id, cluster] of after.clusters) {
      const old = before.clusters.get(id);
      const step = old && isLive(cluster) ? budgetNotice(trans, old, cluster) : null;
      if (step) {
        notices.push(step);
      }
      if (old && isLive(old) && !isLive(cluster) && cluster.cause !== 'user') {
        notices.push(clusterNotice(trans, cluster));
      }
    }
  }
  if (before.services !== after.services) {
    for (const service of after.services) {
      const old = before.services.find(each => each.name === service.name);
      const news = old && old !== service ? candidateNotice(trans, old, service) : null;
      if (news) {
        notices.push(news);
      }
    }
  }
  return notices;
}

function tookOf(run: RunState): number {
  return (run.ended ?? run.created) - run.created;
}

function runNotice(trans: TranslationBundle, run: RunState): INotice[] {
  const time = span(trans, tookOf(run));
  const { amount, currency } = run.cost;
  const cost = amount === null ? '' : `, ${money(trans, amount, currency)}`;
  switch (run.phase) {
    case 'done':
      if (run.kind === 'sweep') {
        const found = [best(trans, run), trialsOf(trans, run, false)].filter(Boolean).join(', ');
        const text = trans.__('“%1” is done after %2%3: %4', run.name, time, cost, found);
        return [{ kind: 'success', text, run }];
      }
      return run.failed
        ? [
            {
              kind: 'warning',
              text: trans.__(
                '“%1” is done after %2%3; %4 items failed',
                run.name,
                time,
                cost,
                run.failed
              ),
              run
            }
          ]
        : [
            {
              kind: 'success',
              text: trans.__('“%1” is done after %2%3', run.name, time, cost),
              run
            }
          ];
    case 'failed':
    case 'lost':
      return [
        {
          kind: 'error',
          text: trans.__('“%1” failed after %2: %3', run.name, time, summary(trans, run, 0)),
          run
        }
      ];
    default:
      // Who cancels knows.
      return [];
  }
}

/** That the budget of a cluster has come to its next step; null where it hasn't. */
function budgetNotice(
  trans: TranslationBundle,
  { budget: before }: ClusterState,
  cluster: ClusterState
): INotice | null {
  const { budget } = cluster;
  // The end has a notice of its own.
  if (!before || !budget || budget.step === 'stop' || rank(budget) <= rank(before)) {
    return null;
  }
  const words = step(trans, budget);
  return {
    kind: budget.step === 'half' ? 'info' : 'warning',
    text: trans.__('Cluster %1: %2 (%3)', cluster.name, words, used(trans, budget)),
    cluster
  };
}

function rank({ step }: Budget): number {
  return ['fine', 'half', 'warn', 'no growth', 'drain', 'stop'].indexOf(step);
}

function clusterNotice(trans: TranslationBundle, cluster: ClusterState): INotice {
  const { amount, currency } = cluster.cost;
  const why = cluster.problem ? ` – ${cluster.problem.what}` : '';
  const words = trans.__('Cluster %1: %2', cluster.name, ended(trans, cluster.cause)) + why;
  const bad = cluster.cause === 'failed' || cluster.cause === 'killed';
  return {
    kind: bad ? 'error' : 'info',
    text:
      amount === null ? words : trans.__('%1. It cost %2.', words, money(trans, amount, currency)),
    cluster
  };
}

/** What became by itself of a version that was tried; null where nothing did, or where somebody decided it. */
function candidateNotice(
  trans: TranslationBundle,
  before: ServiceState,
  service: ServiceState
): INotice | null {
  const { name, model, version, candidate } = service;
  const tried = before.candidate;
  // One that was never asked didn't start, which whoever deployed it is told.
  if (candidate?.phase === 'back' && candidate.problem && candidate.requests > 0) {
    const isNews = tried?.phase !== 'back' || tried.since !== candidate.since;
    const words = [candidate.problem.what, candidate.problem.why].filter(Boolean).join(' – ');
    const text = trans.__('Service %1: %2', name, words);
    return isNews ? { kind: 'warning', text, service } : null;
  }
  if (isTried(tried) && wasLast(tried) && !candidate && version === tried.version) {
    const [now, old] = [versionName(model, version), versionName(model, before.version)];
    const text = trans.__('Service %1: %2 answers all now, in place of %3', name, now, old);
    return { kind: 'success', text, service };
  }
  return null;
}

/** Whether a canary has come to its last step, from which it goes on by itself to answer all. */
function wasLast({ way, phase, paused, share, steps }: CandidateState): boolean {
  const isLast = steps.length > 0 && share >= steps[steps.length - 1];
  return way === 'canary' && !paused && (phase === 'won' || isLast);
}
