import { Extent, SweepOptions, Trial } from '../state/schema';
import { given } from '../words/sweep';

/** Trials that are drawn at most. */
export const MOST_LINES = 400;

/** How good a trial is among those that came to their end, in so many levels; the last one is the best fifth. */
export const LEVELS = 5;

/** An upright axis: an argument of the objective, or the value at the end. */
export interface IAxis {
  name: string;
  /** Where it has words: from 0, its lower end, to 1. */
  ticks: { at: number; words: string }[];
  /** Whether the words stand for single values, and not for the ends of a range. */
  named: boolean;
  /** Of a logarithmic one, where the powers of ten are. */
  marks: number[];
  /** The place of a value; null of one that it has none for. */
  at: (value: unknown) => number | null;
}

/** How wide and how opaque the lines of each level are, where there are few of them, and where there are many. */
const FEW_LINES = { widths: [0.75, 0.9, 1.1, 1.4, 1.9], opacities: [0.3, 0.4, 0.55, 0.75, 1] };
const MANY_LINES = { widths: [0.5, 0.5, 0.6, 0.8, 1.2], opacities: [0.07, 0.1, 0.14, 0.25, 0.65] };

/** The width, in pixels, and the opacity of a line of that level, or of one that came to no end, among so many. */
export function strength(level: number | null, among: number): { width: number; opacity: number } {
  const share = Math.min(1, Math.max(0, Math.log10(among / 20)));
  const at = level ?? 0;
  const between = (few: number, many: number): number => few + (many - few) * share;
  return {
    width: between(FEW_LINES.widths[at], MANY_LINES.widths[at]),
    opacity: between(FEW_LINES.opacities[at], MANY_LINES.opacities[at])
  };
}

/** A trial as a line over the axes: its places on them, null where it has none. */
export interface ITrialLine {
  trial: Trial;
  places: (number | null)[];
  /** 0 to `LEVELS` - 1 of a trial that is done; null of others. */
  level: number | null;
}

/** Values of which an axis names each, and powers of ten that it marks. */
const NAMED = 8;
const MARKS = 20;

/**
 * The axes of a sweep: one for each argument that isn't the same in all trials, and one for what came of them.
 *
 * @param names - the arguments.
 * @param ordered - the trials, the best ones first.
 */
export function axesOf(
  sweep: SweepOptions | null,
  names: readonly string[],
  ordered: readonly Trial[],
  value: string
): IAxis[] {
  const axes = names
    .filter(name => sweep?.space[name]?.values.length !== 1)
    .map(name =>
      argumentAxis(
        name,
        sweep?.space[name],
        ordered.map(trial => trial.params[name])
      )
    );
  const values = ordered.flatMap(trial => (trial.value === null ? [] : [trial.value]));
  return [...axes, rangeAxis(value, ...ends(values), isWide(values))];
}

/** The trials as lines, the best one last, so that it is drawn over the others. */
export function linesOf(axes: readonly IAxis[], ordered: readonly Trial[]): ITrialLine[] {
  const done = ordered.filter(trial => trial.phase === 'done' && trial.value !== null).length;
  return some(ordered)
    .map(({ trial, index }) => ({
      trial,
      places: axes.map((axis, at) =>
        axis.at(at < axes.length - 1 ? trial.params[axis.name] : trial.value)
      ),
      level: index < done ? LEVELS - 1 - Math.floor((index * LEVELS) / done) : null
    }))
    .reverse();
}

/** The best half of what is drawn, and every so many of the others. */
function some(ordered: readonly Trial[]): { trial: Trial; index: number }[] {
  const all = ordered.map((trial, index) => ({ trial, index }));
  if (all.length <= MOST_LINES) {
    return all;
  }
  const half = MOST_LINES / 2;
  const step = (all.length - half) / half;
  const others = Array.from({ length: half }, (_, n) => all[half + Math.floor(n * step)]);
  return [...all.slice(0, half), ...others];
}

function argumentAxis(name: string, extent: Extent | undefined, seen: readonly unknown[]): IAxis {
  if (extent && extent.low !== null && extent.high !== null) {
    return rangeAxis(name, extent.low, extent.high, extent.log);
  }
  const values = extent?.values.length ? extent.values : distinct(seen);
  const numbers = values.filter((value): value is number => typeof value === 'number');
  if (numbers.length === values.length && values.length > NAMED) {
    return rangeAxis(name, ...ends(numbers), isWide(numbers));
  }
  return choiceAxis(name, values);
}

function choiceAxis(name: string, values: readonly unknown[]): IAxis {
  const places = new Map(
    values.map((value, index) => [
      key(value),
      values.length < 2 ? 0.5 : index / (values.length - 1)
    ])
  );
  const every = Math.ceil(values.length / NAMED);
  return {
    name,
    named: true,
    marks: [],
    ticks: values
      .map(value => ({ at: places.get(key(value))!, words: given(value) }))
      .filter((_, index) => index % every === 0),
    at: value => places.get(key(value)) ?? null
  };
}

function rangeAxis(name: string, low: number, high: number, log: boolean): IAxis {
  const scale = log ? Math.log : (value: number): number => value;
  const [from, to] = [scale(low), scale(high)];
  const ticks =
    low === high
      ? [{ at: 0.5, words: given(low) }]
      : [
          { at: 0, words: given(low) },
          { at: 1, words: given(high) }
        ];
  return {
    name,
    named: false,
    marks: log ? powers(low, high).map(power => (scale(power) - from) / (to - from)) : [],
    ticks: Number.isFinite(low) ? ticks : [],
    at: value => {
      if (typeof value !== 'number' || !Number.isFinite(value)) {
        return null;
      }
      const place = from === to ? 0.5 : (scale(value) - from) / (to - from);
      return Number.isFinite(place) ? Math.min(1, Math.max(0, place)) : null;
    }
  };
}

/** The powers of ten between two numbers, if they aren't too many. */
function powers(low: number, high: number): number[] {
  const [first, last] = [Math.floor(Math.log10(low)) + 1, Math.ceil(Math.log10(high)) - 1];
  const count = last - first + 1;
  return count > 0 && count <= MARKS
    ? Array.from({ length: count }, (_, index) => 10 ** (first + index))
    : [];
}

/** A thousand times as much at one end as at the other: on a plain axis all would lie at its lower end. */
function isWide(values: readonly number[]): boolean {
  const [low, high] = ends(values);
  return low > 0 && high / low >= 1000;
}

function ends(values: readonly number[]): [number, number] {
  const known = values.filter(Number.isFinite);
  return known.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    known.length ? [known[0], known[0]] : [NaN, NaN]
  );
}

function distinct(values: readonly unknown[]): unknown[] {
  const found = new Map(
    values.filter(value => value !== undefined).map(value => [key(value), value])
  );
  const list = [...found.values()];
  return list.every(value => typeof value === 'number')
    ? (list as number[]).sort((one, other) => one - other)
    : list;
}

function key(value: unknown): string {
  return `${typeof value} ${String(value)}`;
}
