import { TranslationBundle } from '@jupyterlab/translation';

import { IDraft, IGroupDraft } from './draft';

/** What a field of a profile is called in the form, from its path in the profile. */
export function labels(trans: TranslationBundle): Record<string, string> {
  return {
    name: trans.__('Name'),
    title: trans.__('Title'),
    place: trans.__('Place'),
    description: trans.__('Description'),
    environment: trans.__('Environment'),
    'limits.idle_timeout': trans.__('Unused for'),
    'limits.lifetime': trans.__('After at most'),
    'limits.budget': trans.__('Budget'),
    'limits.unknown_price': trans.__('Without a price'),
    'price.cpu_hour': trans.__('CPU'),
    'price.gb_hour': trans.__('GB of memory'),
    'price.gpu_hour': trans.__('GPU'),
    'price.currency': trans.__('Currency')
  };
}

/** What a field of a group is called in the form. */
export function groupLabels(
  trans: TranslationBundle
): Record<Exclude<keyof IGroupDraft, 'options' | 'before'>, string> {
  return {
    name: trans.__('Name'),
    workers: trans.__('Workers'),
    minimum: trans.__('Minimum'),
    maximum: trans.__('Maximum'),
    cpus: trans.__('CPUs each'),
    memory: trans.__('Memory each'),
    gpus: trans.__('GPUs each'),
    adaptive: trans.__('auto'),
    spot: trans.__('spot'),
    base: trans.__('of them on demand')
  };
}

/** What of a group is typed, in the order of the form. */
const TYPED = ['name', 'workers', 'minimum', 'maximum', 'cpus', 'memory', 'gpus', 'base'] as const;

/** All fields of a draft: path → what it is called where it stands, beside its group's name. */
export function fieldsOf(trans: TranslationBundle, draft: IDraft): Record<string, string> {
  const groups = draft.groups.map((_, index) => fieldsOfGroup(trans, index));
  return Object.assign({}, labels(trans), ...groups);
}

/** The fields of a group: path → label. */
export function fieldsOfGroup(trans: TranslationBundle, index: number): Record<string, string> {
  const words = groupLabels(trans);
  return Object.fromEntries(TYPED.map(key => [`groups.${index}.${key}`, words[key]]));
}

/** What people read for the field at `at` where it stands alone: its group is named where there are several. */
export function labelAt(trans: TranslationBundle, at: string, draft: IDraft): string {
  const [noun, index] = at.split('.');
  const label = fieldsOf(trans, draft)[at] ?? at;
  return noun === 'groups' && draft.groups.length > 1
    ? trans.__('%1 of %2', label, draft.groups[Number(index)].name)
    : label;
}
