import { TranslationBundle } from '@jupyterlab/translation';

import { ScheduleView } from '../state/schema';
import { IState } from '../state/state';
import { when } from './model';
import { moment } from './time';
import { wordOf } from './word';

/** When a notebook runs by itself, in the parts that a form has: every `count` `unit`s, `at` a time of day. */
export interface IEvery {
  count: number;
  unit: 'min' | 'h' | 'day' | 'week';
  /** "02:00"; empty where it has none. */
  at: string;
}

const EVERY =
  /^\s*(?:every\s+)?(\d{1,4})?\s*(min|hours?|h|days?|d|weeks?|w)(?:\s+at\s+(\d{1,2}:\d{2}))?\s*$/;
const UNITS: Record<string, IEvery['unit']> = { m: 'min', h: 'h', d: 'day', w: 'week' };

/** The parts of "1 day at 02:00"; null where it isn't written so, as another version may do. */
export function everyOf(text: string): IEvery | null {
  const found = EVERY.exec(text);
  return (
    found && {
      count: Number(found[1] ?? 1),
      unit: UNITS[found[2][0]],
      at: found[3]?.padStart(5, '0') ?? ''
    }
  );
}

/** The parts as the server takes them. */
export function everyText({ count, unit, at }: IEvery): string {
  return `${count} ${unit}${at && hasTime(unit) ? ` at ${at}` : ''}`;
}

/** Whether spans of a unit have a time of day. */
export function hasTime(unit: IEvery['unit']): boolean {
  return unit === 'day' || unit === 'week';
}

/** When a notebook runs by itself, by whose clock: "every day at 02:00 (Europe/Berlin)". */
export function everyWords(trans: TranslationBundle, { every, zone }: ScheduleView): string {
  const parts = everyOf(every);
  if (!parts) {
    return trans.__('every %1', every);
  }
  const { count, unit, at } = parts;
  const ones: Record<IEvery['unit'], string> = {
    min: trans.__('every minute'),
    h: trans.__('every hour'),
    day: trans.__('every day'),
    week: trans.__('every week')
  };
  const many: Record<IEvery['unit'], string> = {
    min: trans.__('every %1 min', count),
    h: trans.__('every %1 h', count),
    day: trans.__('every %1 days', count),
    week: trans.__('every %1 weeks', count)
  };
  const span = count === 1 ? ones[unit] : many[unit];
  const time = at ? trans.__('%1 at %2', span, at) : span;
  return hasTime(unit) && zone ? trans.__('%1 (%2)', time, zone) : time;
}

/** When it runs next: "next 22 Nov 02:00". */
export function nextWords(trans: TranslationBundle, schedule: ScheduleView, now: number): string {
  if (schedule.suspended) {
    return trans.__('suspended there');
  }
  if (schedule.next === null) {
    return '';
  }
  return schedule.next <= now
    ? trans.__('due now')
    : trans.__('next %1', moment(schedule.next, now));
}

/** How it went last, or that it runs: "done 02:03", "runs since 14:05". */
export function wentWords(trans: TranslationBundle, schedule: ScheduleView, now: number): string {
  const { phase, began, ended } = schedule;
  const end = when(trans, ended ?? began ?? now, now);
  const words: Record<ScheduleView['phase'], string> = {
    new: trans.__('hasn’t run yet'),
    asked: trans.__('about to run'),
    running: trans.__('runs since %1', when(trans, began ?? now, now)),
    done: trans.__('done %1', end),
    failed: trans.__('failed %1', end),
    unknown: trans.__('not known')
  };
  return wordOf(words, phase);
}

/** Where it runs, where that isn't just this machine: "Kubernetes · ml · night". */
export function whereWords(
  schedule: Pick<ScheduleView, 'place' | 'where' | 'profile' | 'cluster'>,
  places: IState['places']
): string {
  const { place, where, profile, cluster } = schedule;
  const title = place === 'local' ? '' : (places.get(place)?.title ?? place);
  return [title, where, profile, cluster].filter(Boolean).join(' · ');
}
