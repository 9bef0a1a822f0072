import type uPlot from 'uplot';

import { AttemptMark, CurveData, CurvesView } from '../state/schema';

/** The curves of a run as they are known here. */
export interface ICurves {
  seq: number;
  /** Metric → rank → curve. */
  byKey: ReadonlyMap<string, ReadonlyMap<number, CurveData>>;
  attempts: readonly AttemptMark[];
  leftOut: number;
}

export const NONE: ICurves = { seq: 0, byKey: new Map(), attempts: [], leftOut: 0 };

/** What is known, with what changed. */
export function merge(known: ICurves, view: CurvesView): ICurves {
  const byKey = new Map(known.byKey);
  for (const curve of view.curves) {
    const ranks = new Map(byKey.get(curve.key)).set(curve.rank, curve);
    byKey.set(curve.key, new Map([...ranks].sort(([one], [other]) => one - other)));
  }
  return { seq: view.seq, byKey, attempts: view.attempts, leftOut: view.left_out };
}

/** The metric that is shown first: a loss, else the first one. */
export function mainKey(keys: readonly string[]): string | null {
  return keys.find(key => /loss/i.test(key)) ?? keys[0] ?? null;
}

/**
 * Values as a running mean that forgets: each counts `smoothing` times as much as the one after it. 0 leaves them as
 * they are. The weights are divided by their sum, so that the line begins at the first value.
 */
export function smoothed(values: readonly (number | null)[], smoothing: number): (number | null)[] {
  let sum = 0;
  let weight = 0;
  return values.map(value => {
    if (value === null || smoothing === 0) {
      return value;
    }
    sum = smoothing * sum + value;
    weight = smoothing * weight + 1;
    return sum / weight;
  });
}

/** Lines over the same steps. */
export interface IAligned {
  steps: number[];
  rows: (number | null)[][];
}

/** Curves over the steps of all of them: between two points of its own a curve has the value of the first. */
export function aligned(curves: readonly CurveData[], smoothing: number): IAligned {
  const steps = [...new Set(curves.flatMap(curve => curve.steps))].sort((a, b) => a - b);
  const rows = curves.map(curve => {
    const values = smoothed(curve.values, smoothing);
    const last = curve.steps[curve.steps.length - 1];
    let at = -1;
    return steps.map(step => {
      while (at + 1 < curve.steps.length && curve.steps[at + 1] <= step) {
        at++;
      }
      return at < 0 || step > last ? null : values[at];
    });
  });
  return { steps, rows };
}

/** Mean, smallest and largest of several lines at each step; null where none has a value. */
export function summed(
  rows: readonly (number | null)[][],
  length: number
): [mean: (number | null)[], low: (number | null)[], high: (number | null)[]] {
  const mean: (number | null)[] = [];
  const low: (number | null)[] = [];
  const high: (number | null)[] = [];
  for (let index = 0; index < length; index++) {
    const known = rows.map(row => row[index]).filter((value): value is number => value !== null);
    const some = known.length > 0;
    mean.push(some ? known.reduce((sum, value) => sum + value, 0) / known.length : null);
    low.push(some ? Math.min(...known) : null);
    high.push(some ? Math.max(...known) : null);
  }
  return [mean, low, high];
}

/** One run's curves of a metric, with the run's name. */
export interface IGroup {
  name: string;
  curves: readonly CurveData[];
}

/** What a line of a chart is: the mean of a group, an edge of the band around it, or a rank's own. */
export interface ILine {
  group: number;
  kind: 'mean' | 'low' | 'high' | 'rank';
  label: string;
}

/** What is drawn: the lines, and their values over the steps. */
export interface IDrawn {
  lines: ILine[];
  data: uPlot.AlignedData;
}

/**
 * The lines of some runs: of each its mean and the band of its ranks, or a line for `each` rank.
 *
 * @param log - leaves out what a logarithmic axis has no place for.
 */
export function drawn(
  groups: readonly IGroup[],
  options: { each: boolean; log: boolean; smoothing: number; rank: (rank: number) => string }
): IDrawn {
  const all = aligned(
    groups.flatMap(group => group.curves),
    options.smoothing
  );
  const rows = options.log
    ? all.rows.map(row => row.map(value => (value !== null && value > 0 ? value : null)))
    : all.rows;
  const lines: ILine[] = [];
  const data: (number | null)[][] = [];
  let at = 0;
  groups.forEach(({ name, curves }, group) => {
    const own = rows.slice(at, (at += curves.length));
    if (options.each || own.length < 2) {
      own.forEach((row, index) => {
        const rank = own.length < 2 ? name : `${name} ${options.rank(curves[index].rank)}`;
        lines.push({ group, kind: 'rank', label: rank.trim() });
        data.push(row);
      });
      return;
    }
    const [mean, low, high] = summed(own, all.steps.length);
    lines.push({ group, kind: 'high', label: '' }, { group, kind: 'low', label: '' });
    lines.push({ group, kind: 'mean', label: name });
    data.push(high, low, mean);
  });
  return { lines, data: [all.steps, ...data] };
}

/** What a curve says in numbers; null of one without a finite value. */
export function facts(
  curve: CurveData
): { first: number; low: number; lowStep: number; high: number; last: number } | null {
  const known = curve.values.flatMap((value, index) =>
    value === null ? [] : [{ value, step: curve.steps[index] }]
  );
  if (known.length === 0) {
    return null;
  }
  const low = known.reduce((best, point) => (point.value < best.value ? point : best));
  const high = known.reduce((best, point) => (point.value > best.value ? point : best));
  return {
    first: known[0].value,
    low: low.value,
    lowStep: low.step,
    high: high.value,
    last: known[known.length - 1].value
  };
}
