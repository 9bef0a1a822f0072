import { TranslationBundle } from '@jupyterlab/translation';
import React, { useMemo } from 'react';

import { IMark } from '../curve/marks';
import { useMlops } from '../state/hooks';
import { Performance, ServiceHistory, TrafficPoint, TrailEntry } from '../state/schema';
import { versionName } from '../words/model';
import { decimals, significant } from '../words/number';
import { ILine, TimeChart } from './timechart';

/** Features that have a line; the others are in the table. */
const MOST = 5;

/** Seconds that charts show at least, and before the first that there is. */
const SHORTEST = 600;
const ROOM = 60;

interface IChartsProps {
  model: string;
  history: ServiceHistory;
  performance: Performance | null;
}

/** How much a service is asked, how long it takes, what changes and how good it is, with what was done to it as marks. */
export function ServiceCharts({ model, history, performance }: IChartsProps): JSX.Element {
  const { trans } = useMlops();
  const { until } = history;
  const since = beginningOf(history);
  const first = firstOf(history);
  const marks = useMemo(() => marksOf(trans, history.deeds), [trans, history]);
  const rate = useMemo(() => rateLines(trans, model, history), [trans, model, history]);
  const times = useMemo(() => timeLines(trans, model, history), [trans, model, history]);
  const drift = useMemo(() => driftLines(trans, history), [trans, history]);
  const good = useMemo(
    () => goodLines(trans, performance, first, until),
    [trans, performance, first, until]
  );
  const shared = { marks, since, until };
  return (
    <div className="jp-mlops-time-charts">
      {history.counted ? (
        <>
          <TimeChart
            {...shared}
            title={trans.__('Requests a second')}
            lines={rate}
            format={value => significant(value, 2)}
            handle="chart-rate"
          />
          <TimeChart
            {...shared}
            title={trans.__('Time of an answer')}
            hint={trans.__('Of 100 answers, 95 were quicker; faint: 50 were')}
            lines={times}
            format={milliseconds}
            handle="chart-time"
          />
        </>
      ) : (
        <p className="jp-mlops-hint" data-mlops="not-counted">
          {trans.__('How much it is asked is counted by its pods: ask /metrics.')}
        </p>
      )}
      {drift.length > 0 && (
        <TimeChart
          {...shared}
          title={trans.__('How much features have changed')}
          hint={trans.__('PSI, the population stability index, of each window that is over')}
          lines={drift}
          format={value => decimals(value, 2)}
          handle="chart-drift"
        />
      )}
      {good.length > 0 && (
        <TimeChart
          {...shared}
          title={trans.__('How good it is: %1', performance!.metric)}
          hint={trans.__('By the time of its answers; faint: estimated, where labels lack')}
          lines={good}
          format={value => significant(value, 3)}
          handle="chart-good"
        />
      )}
    </div>
  );
}

/** The earliest that is known of. */
function firstOf({ until, traffic, drift, deeds }: ServiceHistory): number {
  const known = [traffic[0]?.at, drift[0]?.since, deeds[0]?.time];
  return Math.min(until, ...known.filter(time => time !== undefined));
}

/** Where charts begin: those of a young service with it, but for some minutes that they have at least. */
function beginningOf(history: ServiceHistory): number {
  const { since, until } = history;
  return Math.max(since, Math.min(firstOf(history) - ROOM, until - SHORTEST));
}

function milliseconds(seconds: number): string {
  return `${significant(1000 * seconds, 3)} ms`;
}

/** The versions that were asked, the first first. */
function versionsOf(points: readonly TrafficPoint[]): number[] {
  return [...new Set(points.map(point => point.version))].sort((a, b) => a - b);
}

function nameOf(trans: TranslationBundle, model: string, version: number): string {
  return version > 0 ? versionName(model, version) : trans.__('no version');
}

/** Requests a second of each version: none is a number, too. */
function rateLines(trans: TranslationBundle, model: string, history: ServiceHistory): ILine[] {
  const { traffic, step, until } = history;
  const since = beginningOf(history);
  const times: number[] = [];
  const first = Math.ceil(since / step) * step;
  for (let at = first; at + step <= until; at += step) {
    times.push(at);
  }
  const lines = versionsOf(traffic).map((version, color): ILine => {
    const asked = new Map(
      traffic.filter(point => point.version === version).map(point => [point.at, point.requests])
    );
    return {
      label: nameOf(trans, model, version),
      color,
      points: times.map(at => [at + step / 2, (asked.get(at) ?? 0) / step])
    };
  });
  if (!traffic.some(point => point.errors > 0)) {
    return lines;
  }
  const failed = new Map<number, number>();
  traffic.forEach(({ at, errors }) => failed.set(at, (failed.get(at) ?? 0) + errors));
  const points = times.map(at => [at + step / 2, (failed.get(at) ?? 0) / step] as const);
  return [...lines, { label: trans.__('failed'), color: 4, points }];
}

/** How long answers of each version took. */
function timeLines(trans: TranslationBundle, model: string, history: ServiceHistory): ILine[] {
  const { traffic, step } = history;
  return versionsOf(traffic).flatMap((version, color): ILine[] => {
    const points = traffic.filter(point => point.version === version && point.slow !== null);
    const name = nameOf(trans, model, version);
    const line = (label: string, part: 'middle' | 'slow'): ILine => ({
      label,
      color,
      faint: part === 'middle',
      points: points.flatMap((point, index): [number, number | null][] => {
        const isGap = index > 0 && point.at - points[index - 1].at > step; // nothing was asked
        const here: [number, number | null] = [point.at + step / 2, point[part]];
        return isGap ? [[point.at - step / 2, null], here] : [here];
      })
    });
    return points.length === 0
      ? []
      : [line(trans.__('%1, 95 of 100', name), 'slow'), line(trans.__('%1, half', name), 'middle')];
  });
}

/** PSI of the features that have changed most, and of the answers. */
function driftLines(trans: TranslationBundle, { drift }: ServiceHistory): ILine[] {
  const lines = new Map<string, { name: string; most: number; points: [number, number][] }>();
  for (const { name, answers, psi, since, until } of drift) {
    if (psi === null) {
      continue;
    }
    const key = `${answers} ${name}`;
    const line = lines.get(key) ?? {
      name: answers ? trans.__('its answers') : name,
      most: 0,
      points: []
    };
    line.points.push([(since + until) / 2, psi]);
    line.most = Math.max(line.most, psi);
    lines.set(key, line);
  }
  return [...lines.values()]
    .sort((one, other) => other.most - one.most)
    .slice(0, MOST)
    .map(({ name, points }, color) => ({ label: name, color, points }));
}

/** The metric of what has labels, and what it is estimated to be. */
function goodLines(
  trans: TranslationBundle,
  performance: Performance | null,
  first: number,
  until: number
): ILine[] {
  const periods = (performance?.periods ?? []).filter(period => period.until > first);
  const at = (period: { since: number; until: number }): number =>
    (Math.max(period.since, first) + Math.min(period.until, until)) / 2;
  const of = (part: 'value' | 'estimate'): [number, number | null][] =>
    periods.filter(period => period[part] !== null).map(period => [at(period), period[part]]);
  return [
    { label: trans.__('labelled'), color: 0, points: of('value') },
    { label: trans.__('estimated'), color: 0, faint: true, points: of('estimate') }
  ].filter(line => line.points.length > 0);
}

/** What was done, where it changed who answers. */
function marksOf(trans: TranslationBundle, deeds: readonly TrailEntry[]): IMark[] {
  return deeds.map(({ time, verb, object, after }) => {
    const version = `@${object.split('@')[1] ?? ''}`;
    const words: Partial<Record<TrailEntry['verb'], string>> = {
      failed: trans.__('%1 failed', version),
      'rolled back': trans.__('%1 back', version),
      split: `${version} ${after.split(',')[0]}`,
      'went on': `${version} ${after.split(',')[0]}`,
      stopped: trans.__('stopped')
    };
    return { step: time, words: words[verb] ?? version };
  });
}
