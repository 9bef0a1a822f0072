import { TranslationBundle } from '@jupyterlab/translation';

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

/**
 * A length of time in two units at most: "0.3 s", "40 s", "1 min 12 s", "2 h 5 min", "3 d 4 h".
 */
export function span(trans: TranslationBundle, seconds: number): string {
  if (seconds < 9.95 && !Number.isInteger(seconds)) {
    return trans.__('%1 s', Math.max(0, seconds).toFixed(1));
  }
  const whole = Math.max(0, Math.round(seconds));
  if (whole < MINUTE) {
    return trans.__('%1 s', whole);
  }
  if (whole < HOUR) {
    const rest = whole % MINUTE;
    const minutes = trans.__('%1 min', Math.floor(whole / MINUTE));
    return rest ? trans.__('%1 %2 s', minutes, rest) : minutes;
  }
  if (whole < DAY) {
    const rest = Math.floor((whole % HOUR) / MINUTE);
    const hours = trans.__('%1 h', Math.floor(whole / HOUR));
    return rest ? trans.__('%1 %2 min', hours, rest) : hours;
  }
  const rest = Math.floor((whole % DAY) / HOUR);
  const days = trans.__('%1 d', Math.floor(whole / DAY));
  return rest ? trans.__('%1 %2 h', days, rest) : days;
}

/**
 * A length of time that is an expectation, in one unit, so that it doesn't tick: "14 min", "under a minute".
 */
export function about(trans: TranslationBundle, seconds: number): string {
  if (seconds < MINUTE) {
    return trans.__('less than a minute');
  }
  if (seconds < 2 * HOUR) {
    return trans.__('%1 min', Math.round(seconds / MINUTE));
  }
  return seconds < 2 * DAY
    ? trans.__('%1 h', Math.round(seconds / HOUR))
    : trans.__('%1 days', Math.round(seconds / DAY));
}

/** The time that is left of some work: seconds in tens, so that it can be read while it falls. */
export function left(trans: TranslationBundle, seconds: number): string {
  if (seconds < 10) {
    return trans.__('%1 s', Math.max(1, Math.round(seconds)));
  }
  return seconds < 2 * MINUTE
    ? trans.__('%1 s', Math.round(seconds / 10) * 10)
    : about(trans, seconds);
}

const LANGUAGE = 'en-GB';
const DAYS = new Intl.DateTimeFormat(LANGUAGE, { day: 'numeric', month: 'short' });
const CLOCK = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
const MINUTES = new Intl.DateTimeFormat(LANGUAGE, CLOCK);
const SECONDS = new Intl.DateTimeFormat(LANGUAGE, { ...CLOCK, second: '2-digit' });

/** A moment as a clock of 24 hours shows it, with the day where it isn't today: "14:05:09", "21 Nov 14:05:09". */
export function clock(seconds: number, now: number): string {
  const moment = new Date(seconds * 1000);
  const time = SECONDS.format(moment);
  return isSameDay(seconds, now) ? time : `${DAYS.format(moment)} ${time}`;
}

/** A moment that is expected, to the minute: "17:40", "22 Nov 17:40". */
export function moment(seconds: number, now: number): string {
  const then = new Date(seconds * 1000);
  const time = MINUTES.format(then);
  return isSameDay(seconds, now) ? time : `${DAYS.format(then)} ${time}`;
}

/** A moment on an axis whose marks are `step` seconds apart, no finer than that: "14:05"; the day where one begins. */
export function tick(seconds: number, step: number): string {
  const moment = new Date(seconds * 1000);
  if (moment.getHours() + moment.getMinutes() + moment.getSeconds() === 0) {
    return DAYS.format(moment);
  }
  return (step < MINUTE ? SECONDS : MINUTES).format(moment);
}

/** A day as people call it: "Today", "Yesterday", "21 Nov". */
export function day(trans: TranslationBundle, seconds: number, now: number): string {
  if (isSameDay(seconds, now)) {
    return trans.__('Today');
  }
  return isSameDay(seconds, now - DAY)
    ? trans.__('Yesterday')
    : DAYS.format(new Date(seconds * 1000));
}

/** The time zone of whoever sits here, as in "Europe/Berlin"; empty where the browser doesn't say. */
export function zoneOfBrowser(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone ?? '';
}

function isSameDay(one: number, other: number): boolean {
  return new Date(one * 1000).toDateString() === new Date(other * 1000).toDateString();
}
