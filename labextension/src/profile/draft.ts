import { TranslationBundle } from '@jupyterlab/translation';

import { Amount, IProfileRequest } from '../api';
import { Advice, Group, Limits, Price, Profile, Promised, WorkerShape } from '../state/schema';
import { size } from '../words/size';

/** Amounts are text while they are typed: "2 GiB", "20 min"; an empty one is none. */
type Typed<T> = { [K in keyof T]: T[K] extends number | null ? string : T[K] };

/** A group while it is edited. */
export type IGroupDraft = Typed<Group>;

/** Rates while they are edited: who says so, and when, comes when they are sent. */
type RatesDraft = Typed<Omit<Price, 'source' | 'date'>>;

/** A profile while it is edited. What the form doesn't show is kept as it is. */
export interface IDraft extends Pick<
  Profile,
  'name' | 'title' | 'description' | 'place' | 'options' | 'promise'
> {
  groups: IGroupDraft[];
  limits: Typed<Limits>;
  /** Whether `price` counts, instead of the rates in the settings. */
  priced: boolean;
  price: RatesDraft;
  /** A line for each variable: "NAME=value". */
  environment: string;
}

/** Characters of a profile's name. */
const LONGEST = 48;

/** What a new group starts with. */
export const NEW_GROUP: IGroupDraft = {
  name: 'default',
  cpus: '1',
  memory: '2 GB',
  gpus: '0',
  spot: false,
  base: '0',
  workers: '2',
  minimum: '0',
  maximum: '8',
  adaptive: false,
  options: {},
  before: null
};

const NO_RATES: RatesDraft = { cpu_hour: '', gb_hour: '', gpu_hour: '', currency: 'USD' };

/** What a new profile starts with. */
export const NEW_DRAFT: IDraft = {
  name: '',
  title: '',
  description: '',
  place: 'local',
  options: {},
  promise: null,
  groups: [NEW_GROUP],
  limits: {
    idle_timeout: '20 min',
    lifetime: '24 h',
    budget: '',
    unknown_price: 'assume',
    restarts: '10'
  },
  priced: false,
  price: NO_RATES,
  environment: ''
};

/** What changes in `draft` when it is for another place, which doesn't know the options of the first. */
export function moved(draft: IDraft, place: string): Partial<IDraft> {
  return { place, options: {}, groups: draft.groups.map(group => ({ ...group, options: {} })) };
}

/** Whether it is about workers that would be better than those that there were. */
export function namesWorkers({ kind }: Advice): boolean {
  return kind !== 'waits';
}

/** What a profile with the workers that `advice` names promises: the least saving of its groups. */
export function promiseOf(advice: readonly Advice[], of: Omit<Promised, 'saving'>): Promised {
  const savings = advice.map(({ saving }) => saving);
  const saving = savings.reduce(
    (least, each) => (least === null || each === null ? null : Math.min(least, each)),
    savings[0] ?? null
  );
  return { ...of, saving };
}

/** `draft` with the workers that `advice` names, and in words what that changes. */
export function sized(
  trans: TranslationBundle,
  draft: IDraft,
  advice: readonly Advice[],
  profile: Profile | null
): [IDraft, string[]] {
  const changes: string[] = [];
  const groups = draft.groups.map(group => {
    const found = advice.find(each => each.group === group.name);
    if (!found) {
      return group;
    }
    const { cpus, memory } = { cpus: String(found.cpus), memory: size(found.memory) };
    if (cpus !== group.cpus) {
      changes.push(trans.__('%1: CPUs %2 → %3', group.name, group.cpus, cpus));
    }
    if (memory !== group.memory) {
      changes.push(trans.__('%1: memory %2 → %3', group.name, group.memory, memory));
    }
    // What is saved by that is told from what it was at first.
    const was = profile?.groups.find(each => each.name === group.name);
    const before = was ? (was.before ?? shapeOf(was)) : null;
    return { ...group, cpus, memory, before };
  });
  const title = draft.title && trans.__('%1, right-sized', draft.title);
  return [{ ...draft, title: advice.length > 0 ? title : draft.title, groups }, changes];
}

function shapeOf({ cpus, memory, gpus }: Group): WorkerShape {
  return { cpus, memory, gpus };
}

/** `name`, or with a number behind it where it is taken; as long as a name may be. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  const numbered = (number: number): string => (number > 1 ? `-${number}` : '');
  let number = 1;
  while (taken.has(name.slice(0, LONGEST - numbered(number).length) + numbered(number))) {
    number += 1;
  }
  return name.slice(0, LONGEST - numbered(number).length) + numbered(number);
}

/** `profile` to be edited. */
export function draftOf({
  groups,
  limits,
  price,
  environment,
  source: _,
  ...rest
}: Profile): IDraft {
  return {
    ...rest,
    groups: groups.map(group => ({
      ...typed(group),
      memory: exactSize(group.memory),
      before: group.before
    })),
    limits: {
      ...typed(limits),
      idle_timeout: period(limits.idle_timeout),
      lifetime: period(limits.lifetime)
    },
    priced: price !== null,
    price: price ? typed(ratesOf(price)) : NO_RATES,
    environment: Object.entries(environment)
      .map(([key, value]) => `${key}=${value}`)
      .join('\n')
  };
}

function ratesOf({ source: _, date: __, ...rates }: Price): Omit<Price, 'source' | 'date'> {
  return rates;
}

function typed<T extends object>(values: T): Typed<T> {
  const texts = Object.entries(values).map(([key, value]) => [
    key,
    value === null || typeof value === 'number' ? String(value ?? '') : value
  ]);
  return Object.fromEntries(texts) as Typed<T>;
}

/** Rounded where nothing but bytes is lost by it: an editor that shows 1717986918 helps nobody. */
function exactSize(bytes: number): string {
  for (const [unit, factor] of [
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2]
  ] as const) {
    if (bytes % factor === 0) {
      return `${bytes / factor} ${unit}`;
    }
  }
  return size(bytes);
}

function period(seconds: number | null): string {
  if (seconds === null) {
    return '';
  }
  for (const [unit, factor] of [
    ['d', 86400],
    ['h', 3600],
    ['min', 60]
  ] as const) {
    if (seconds % factor === 0 && (unit !== 'd' || seconds > factor)) {
      return `${seconds / factor} ${unit}`;
    }
  }
  return `${seconds} s`;
}

/**
 * The draft as it is sent. What can't be a number is sent as it was typed, so that the server says what is wrong with
 * it; so are sizes and times, whose units the server knows.
 */
export function profileOf(draft: IDraft): IProfileRequest {
  const { groups, limits, priced, price, environment, ...rest } = draft;
  return {
    ...rest,
    name: draft.name.trim(),
    title: draft.title.trim(),
    description: draft.description.trim(),
    groups: groups.map(group => ({
      ...group,
      name: group.name.trim(),
      cpus: amount(group.cpus),
      memory: measure(group.memory),
      gpus: amount(group.gpus),
      base: amount(group.base) ?? 0,
      workers: amount(group.workers),
      minimum: amount(group.minimum),
      maximum: amount(group.maximum)
    })),
    limits: {
      idle_timeout: measure(limits.idle_timeout),
      lifetime: measure(limits.lifetime),
      budget: amount(limits.budget),
      unknown_price: limits.unknown_price,
      restarts: amount(limits.restarts)
    },
    price: priced
      ? {
          cpu_hour: amount(price.cpu_hour),
          gb_hour: amount(price.gb_hour),
          gpu_hour: amount(price.gpu_hour),
          currency: price.currency.trim(),
          source: 'the profile',
          date: new Date().toISOString().slice(0, 10)
        }
      : null,
    environment: environmentOf(environment),
    source: 'user'
  };
}

/**
 * "1,5" as "1.5", as half of the world writes it. "1,500" stays: it may be either of two numbers, and the server says so.
 */
export function withPoint(text: string): string {
  return text.replace(/^(\s*\d+),(\d{1,2})(?!\d)/, '$1.$2');
}

/** A number where it is one. */
function amount(text: string): Amount {
  const trimmed = withPoint(text).trim();
  return trimmed === '' ? null : Number.isNaN(Number(trimmed)) ? trimmed : Number(trimmed);
}

/** A number with its unit. */
function measure(text: string): Amount {
  return withPoint(text).trim() || null;
}

/** The line of the environment that isn't "NAME=value", or that names what another one named; null when all are well. */
export function oddLine(draft: IDraft): string | null {
  const names = new Set<string>();
  return (
    linesOf(draft.environment).find(line => {
      const [name, value] = line.split(/=(.*)/s);
      const isOdd = value === undefined || names.has(name.trim());
      names.add(name.trim());
      return isOdd;
    }) ?? null
  );
}

function linesOf(environment: string): string[] {
  return environment.split('\n').filter(line => line.trim());
}

function environmentOf(text: string): Record<string, string> {
  return Object.fromEntries(
    linesOf(text).map(line => {
      const [key, ...value] = line.split('=');
      return [key.trim(), value.join('=').trim()];
    })
  );
}
