import { Group, Profile } from '../state/schema';
import { size } from '../words/size';

/**
 * A profile while it is edited: amounts as they are typed ("2 GiB", "20 min"), which the server reads as such; an empty
 * one switches its limit off.
 */
export interface IDraft {
  name: string;
  title: string;
  description: string;
  place: Profile['place'];
  groups: IGroupDraft[];
  idle: string;
  lifetime: string;
  budget: string;
  restarts: string;
  priced: boolean;
  cpuHour: string;
  gbHour: string;
  gpuHour: string;
  currency: string;
  environment: string;
  /** What the form doesn't show is kept as it is. */
  kubernetes?: Profile['kubernetes'];
}

/** A group while it is edited. */
export interface IGroupDraft {
  name: string;
  cpus: string;
  memory: string;
  gpus: string;
  spot: boolean;
  workers: string;
  minimum: string;
  maximum: string;
  adaptive: boolean;
  pod?: Group['pod'];
}

/** What a new group starts with. */
export const NEW_GROUP: IGroupDraft = {
  name: 'default',
  cpus: '1',
  memory: '2 GB',
  gpus: '0',
  spot: false,
  workers: '2',
  minimum: '0',
  maximum: '8',
  adaptive: false
};

/** What a new profile starts with. */
export const NEW_DRAFT: IDraft = {
  name: '',
  title: '',
  description: '',
  place: 'local',
  groups: [NEW_GROUP],
  idle: '20 min',
  lifetime: '24 h',
  budget: '',
  restarts: '10',
  priced: false,
  cpuHour: '',
  gbHour: '',
  gpuHour: '',
  currency: 'USD',
  environment: ''
};

/** `profile` to be edited. */
export function draftOf(profile: Profile): IDraft {
  const { limits, price } = profile;
  const text = (value: number | null | undefined): string => (value ?? '').toString();
  return {
    name: profile.name,
    title: profile.title,
    description: profile.description,
    place: profile.place,
    groups: profile.groups.map(groupDraft),
    idle: period(limits.idle_timeout),
    lifetime: period(limits.lifetime),
    budget: text(limits.budget),
    restarts: text(limits.restarts),
    priced: price !== null,
    cpuHour: text(price?.cpu_hour),
    gbHour: text(price?.gb_hour),
    gpuHour: text(price?.gpu_hour),
    currency: price?.currency ?? 'USD',
    environment: Object.entries(profile.environment)
      .map(([key, value]) => `${key}=${value}`)
      .join('\n'),
    kubernetes: profile.kubernetes
  };
}

function groupDraft(group: Group): IGroupDraft {
  return {
    name: group.name,
    cpus: String(group.cpus),
    memory: exactSize(group.memory),
    gpus: String(group.gpus),
    spot: group.spot,
    workers: String(group.workers),
    minimum: String(group.minimum),
    maximum: String(group.maximum),
    adaptive: group.adaptive,
    pod: group.pod
  };
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
 * The draft as it is sent. What can't be a number is sent as it was typed, so that the server says what is wrong with it.
 */
export function profileOf(draft: IDraft): Profile {
  const profile = {
    name: draft.name.trim(),
    title: draft.title.trim(),
    description: draft.description.trim(),
    place: draft.place,
    groups: draft.groups.map(group => ({
      ...group,
      name: group.name.trim(),
      cpus: number(group.cpus),
      gpus: number(group.gpus),
      workers: number(group.workers),
      minimum: number(group.minimum),
      maximum: number(group.maximum)
    })),
    environment: environmentOf(draft.environment),
    kubernetes: draft.kubernetes,
    limits: {
      idle_timeout: draft.idle.trim() || null,
      lifetime: draft.lifetime.trim() || null,
      budget: number(draft.budget),
      restarts: number(draft.restarts)
    },
    price: draft.priced
      ? {
          cpu_hour: number(draft.cpuHour),
          gb_hour: number(draft.gbHour),
          gpu_hour: number(draft.gpuHour),
          currency: draft.currency.trim(),
          source: 'the profile',
          date: new Date().toISOString().slice(0, 10)
        }
      : null,
    source: 'user'
  };
  return profile as unknown as Profile;
}

function number(text: string): number | string | null {
  const trimmed = text.trim();
  return trimmed === '' ? null : Number.isNaN(Number(trimmed)) ? trimmed : Number(trimmed);
}

function environmentOf(text: string): Record<string, string> {
  const lines = text.split('\n').filter(line => line.trim());
  return Object.fromEntries(
    lines.map(line => {
      const [key, ...value] = line.split('=');
      return [key.trim(), value.join('=').trim()];
    })
  );
}
