import { TranslationBundle } from '@jupyterlab/translation';

import { GateRules, Measured, ModelSummary, TrailEntry } from '../state/schema';
import { significant } from './number';
import { day, moment } from './time';
import { wordOf } from './word';

/** A version as people name it: "churn@3". */
export function versionName(model: string, number: number): string {
  return `${model}@${number}`;
}

/** The line that loads a model's champion in a notebook. */
export function loadCode(model: string): string {
  return `import jupyter_mlops as mlops; model = mlops.model("${model}").load()`;
}

/** A measure with its interval, where it has one: "0.873 (0.851 to 0.894)". */
export function measured(trans: TranslationBundle, { value, low, high }: Measured): string {
  const words = significant(value, 4);
  return low === null || high === null
    ? words
    : trans.__('%1 (%2 to %3)', words, significant(low, 4), significant(high, 4));
}

/** A moment as a list tells it: the time of today, the day of any other. */
export function when(trans: TranslationBundle, seconds: number, now: number): string {
  const name = day(trans, seconds, now);
  return name === trans.__('Today') ? moment(seconds, now) : name;
}

/** A model in a few words: its main measure, and since when; or that nothing is its champion. */
export function modelInfo(trans: TranslationBundle, model: ModelSummary, now: number): string {
  if (model.newest === null) {
    return trans.__('registered by others in MLflow');
  }
  const measure = model.measured && `${model.metric} ${significant(model.measured.value, 3)}`;
  const since = model.since === null ? '' : when(trans, model.since, now);
  const none = model.champion === null ? trans.__('no champion') : '';
  return [none, measure, since].filter(Boolean).join(' · ');
}

/** That the newest version failed gates: "@4 failed accuracy, latency"; nothing where it didn't. */
export function failedWords(trans: TranslationBundle, model: ModelSummary): string {
  return model.failed.length > 0 && model.newest !== null
    ? trans.__('@%1 failed %2', model.newest, model.failed.join(', '))
    : '';
}

/** The gates that are set, by the names under which they judge. */
export function gateNames(trans: TranslationBundle, rules: GateRules): string[] {
  return [
    ...Object.keys(rules.metrics),
    rules.improvement && trans.__('improvement'),
    rules.latency !== null && trans.__('latency'),
    rules.size !== null && trans.__('size'),
    ...rules.slices.map(slice => trans.__('by %1', slice.column)),
    rules.packages && trans.__('packages')
  ].filter((name): name is string => !!name);
}

/** What was done to what, in words that follow who did it. */
export function deed(trans: TranslationBundle, entry: TrailEntry): string {
  const { object, service, before, after } = entry;
  const words: Record<TrailEntry['verb'], string> = {
    saved: trans.__('saved %1', object),
    promoted: entry.override
      ? trans.__('promoted %1 despite its gates', object)
      : trans.__('promoted %1', object),
    refused: trans.__('didn’t promote %1', object),
    ruled: trans.__('set the gates of %1', object),
    checked: trans.__('looked up the packages of %1', object),
    described: trans.__('described %1: %2', object, after),
    'began to retrain': trans.__('began to retrain %1', service),
    "didn't retrain": trans.__('didn’t retrain %1', service),
    deployed: after.startsWith(`${object} `)
      ? trans.__('deployed in %1: %2', service, after) // beside another version, and how
      : trans.__('deployed %1 as %2', object, service),
    split: trans.__('gave %1 another share of %2: %3', object, service, after),
    'went on': trans.__('went on with %1 in %2: %3', object, service, after),
    'rolled back': trans.__('rolled back %1 in %2', object, service),
    failed: trans.__('couldn’t deploy %1 as %2', object, service),
    stopped: trans.__('stopped %1', service),
    forgotten: trans.__('forgot %1', service),
    'forgot a key': trans.__('forgot a key’s requests in %1', service),
    'let in': trans.__('let %1 in to %2', after, service),
    'shut out': trans.__('shut %1 out of %2', before, service),
    other: trans.__('did something else to %1', object)
  };
  return wordOf(words, entry.verb);
}

/** By which door somebody came. */
export function door(trans: TranslationBundle, how: TrailEntry['actor']['how']): string {
  const words: Record<TrailEntry['actor']['how'], string> = {
    notebook: trans.__('notebook'),
    run: trans.__('run'),
    cli: trans.__('command line'),
    pipeline: trans.__('pipeline'),
    sidebar: trans.__('sidebar'),
    router: trans.__('by itself'),
    other: ''
  };
  return wordOf(words, how);
}
