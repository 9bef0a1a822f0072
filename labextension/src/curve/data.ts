import type uPlot from 'uplot';

import { AttemptMark, CurveData, CurvesView } from '../state/schema';

/** The curves of a run as they are known here. */
export interface ICurves {
  seq: number;
  /** Metric → trial and rank, as `placeOf` has them → curve, in their order. */
  byKey: ReadonlyMap<string, ReadonlyMap<string, CurveData>>;
  attempts: readonly AttemptMark[];
  leftOut: number;
}

export const NONE: ICurves = { seq: 0, byKey: new Map(), attempts: [], leftOut: 0 };

/** Which of a metric's curves it is: of which trial of a sweep, and of which rank. */
function placeOf({ trial, rank }: CurveData): string {
  return `${trial ?? ''} ${rank}`;
}

function inOrder([, one]: [string, CurveData], [, other]: [string, CurveData]): number {
  return (one.trial ?? -1) - (other.trial ?? -1) || one.rank - other.rank;
}

/** What is known, with what changed. */
export function merge(known: ICurves, view: CurvesView): ICurves {
  const changed = new Map<string, Map<string, CurveData>>();
  for (const curve of view.curves) {
    const own = changed.get(curve.key) ?? new Map(known.byKey.get(curve.key));
    changed.set(curve.key, own.set(placeOf(curve), curve));
  }
  const byKey = new Map(known.byKey);
  changed.forEach((own, key) => byKey.set(key, new Map([...own].sort(inOrder))));
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

/** One run's curves of a metric, or those of one of its trials, with its name. */
export interface IGroup {
  name: string;
  curves: readonly CurveData[];
  /** Whether it is only the background of others: the trials of a sweep that nobody looks at now. */
  faint?: boolean;
}

/**
 * What a line of a chart is: the mean of a group, an edge of the band around it, one curve's own, or one of a faint
 * group, whose number is -1.
 */
export interface ILine {
  group: number;
  kind: 'mean' | 'low' | 'high' | 'own' | 'faint';
  label: string;
}

/** Faint lines that are drawn; of more there is a band from the lowest to the highest. */
export const MOST_FAINT = 100;
/** Trials that are drawn strongly without being asked for: all of few, else the best ones. */
export const FEW_TRIALS = 5;
export const BEST_TRIALS = 3;

/** What is drawn: the lines, and their values over the steps. */
export interface IDrawn {
  lines: ILine[];
  data: uPlot.AlignedData;
}

/** The trials that have one of the curves, in the order of `best`, the others after those. */
export function trialsWith(curves: readonly CurveData[], best: readonly number[]): number[] {
  const known = new Set(curves.flatMap(curve => curve.trial ?? []));
  return [...new Set([...best.filter(trial => known.has(trial)), ...known])];
}

/** The trials among them, the best ones first, that are drawn strongly without being asked for. */
export function strongest(trials: readonly number[]): readonly number[] {
  return trials.length <= FEW_TRIALS ? trials : trials.slice(0, BEST_TRIALS);
}

/** A sweep's curves of a metric: the trials that are looked at, each a group, before all others. */
export function trialGroups(
  curves: readonly CurveData[],
  strong: readonly number[],
  name: (trial: number) => string
): IGroup[] {
  const own = curves.filter(curve => curve.trial === null);
  const rest = curves.filter(curve => curve.trial !== null && !strong.includes(curve.trial));
  return [
    { name: '', curves: rest, faint: true },
    { name: '', curves: own },
    ...strong.map(trial => ({
      name: name(trial),
      curves: curves.filter(curve => curve.trial === trial)
    }))
  ].filter(group => group.curves.length > 0);
}

/**
 * The lines of some runs: of each its mean and the band of its ranks, or a line for `each` of its curves, named by its
 * `part` of the run.
 *
 * @param log - leaves out what a logarithmic axis has no place for.
 */
export function drawn(
  groups: readonly IGroup[],
  options: { each: boolean; log: boolean; smoothing: number; part: (curve: CurveData) => string }
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
  let group = -1;
  groups.forEach(({ name, curves, faint }) => {
    const own = rows.slice(at, (at += curves.length));
    if (faint && own.length <= MOST_FAINT) {
      own.forEach(row => lines.push({ group: -1, kind: 'faint', label: '' }) && data.push(row));
      return;
    }
    if (faint) {
      const [, low, high] = summed(own, all.steps.length);
      lines.push({ group: -1, kind: 'high', label: '' }, { group: -1, kind: 'low', label: '' });
      data.push(high, low);
      return;
    }
    group++;
    if (options.each || own.length < 2) {
      own.forEach((row, index) => {
        const part = own.length < 2 ? name : `${name} ${options.part(curves[index])}`;
        lines.push({ group, kind: 'own', label: part.trim() });
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
