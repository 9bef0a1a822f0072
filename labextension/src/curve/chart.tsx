import { TranslationBundle } from '@jupyterlab/translation';
import React, { useEffect, useMemo, useRef } from 'react';
import type uPlot from 'uplot';

import { faded, Plot, Plotter } from '../cluster/plot';
import { useMlops } from '../state/hooks';
import { CurveData } from '../state/schema';
import { number, significant } from '../words/number';
import { drawn, facts, ICurves, IDrawn, IGroup } from './data';
import { drawMarks, IMark } from './marks';

/** Tokens of Lab's colours, one for each line; the first is that of what is busy. */
export const COLORS = [
  '--jp-brand-color1',
  '--jp-warn-color1',
  '--jp-success-color1',
  '--jp-accent-color1',
  '--jp-error-color1',
  '--jp-info-color1'
];
/** Lines are told apart without colours, too. */
export const DASHES: (number[] | undefined)[] = [
  undefined,
  [6, 3],
  [2, 3],
  [8, 3, 2, 3],
  [12, 4],
  [1, 4]
];

/** How a chart is drawn. */
export interface ILook {
  each: boolean;
  log: boolean;
  smoothing: number;
}

interface IProps extends ILook {
  metric: string;
  groups: readonly IGroup[];
  marks: readonly IMark[];
  height: number;
  /** Without axes and legend. */
  small?: boolean;
}

/** A metric of some runs over the steps. */
export function CurveChart(props: IProps): JSX.Element {
  const { trans } = useMlops();
  const { groups, each, log, smoothing, small, height } = props;
  const element = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const marks = useRef(props.marks);
  marks.current = props.marks;
  const seen = useMemo(
    () => drawn(groups, { each, log, smoothing, part: curve => partOfRun(trans, curve) }),
    [groups, each, log, smoothing, trans]
  );
  const lines = useRef(seen.lines);
  lines.current = seen.lines;
  // Another look is another chart, other values are not.
  const shape = JSON.stringify([seen.lines, log, small, height]);

  useEffect(() => {
    const label = trans.__('step');
    plot.current = new Plot(
      element.current!,
      plotter(lines.current, label, marks, { log, small: small ?? false, height })
    );
    return () => plot.current!.dispose();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `shape` stands for the lines
  }, [shape, trans]);
  useEffect(() => plot.current!.set(seen.data), [seen, shape, props.marks]);

  const words = describe(trans, props.metric, groups);
  return (
    <div
      ref={element}
      className={small ? 'jp-mlops-curve' : 'jp-mlops-big-chart jp-mlops-big-curve'}
      style={small ? { height } : undefined}
      role="img"
      aria-label={words}
      title={small ? words : undefined}
      data-mlops="curve"
    />
  );
}

/** Which of a run's curves it is. */
export function partOfRun(trans: TranslationBundle, { trial, rank }: CurveData): string {
  const ofTrial = trial === null ? '' : trans.__('trial %1', number(trial));
  return ofTrial && rank === 0 ? ofTrial : `${ofTrial} ${trans.__('rank %1', number(rank))}`.trim();
}

/** A chart in words. */
export function describe(
  trans: TranslationBundle,
  metric: string,
  groups: readonly IGroup[]
): string {
  const seen = [...groups.filter(group => !group.faint), ...groups.filter(group => group.faint)];
  const sentences = seen.map(({ name, curves, faint }) => {
    if (faint) {
      const others = new Set(curves.map(curve => curve.trial)).size;
      return trans._n('%2 other trial, faint', '%2 other trials, faint', others, number(others));
    }
    const [first] = curves;
    const known = first && facts(first);
    const who = [metric, name].filter(Boolean).join(', ');
    if (!known) {
      return trans.__('%1: no number yet', who);
    }
    const last = first.steps[first.steps.length - 1];
    const parts = [
      trans.__('%1: %2 at step %3', who, significant(known.last, 4), number(last)),
      trans.__('from %1', significant(known.first, 4)),
      trans.__('smallest %1 at step %2', significant(known.low, 4), number(known.lowStep)),
      trans.__('largest %1', significant(known.high, 4))
    ];
    if (curves.length > 1) {
      const ranks = new Set(curves.map(curve => curve.rank)).size;
      const trials = new Set(curves.map(curve => curve.trial)).size;
      parts.push(
        trials > 1 ? trans.__('%1 trials', number(trials)) : trans.__('%1 ranks', number(ranks))
      );
    }
    const odd = curves.find(curve => curve.odd);
    if (odd) {
      parts.push(trans.__('%1 from step %2 on', odd.odd, number(odd.odd_step ?? 0)));
    }
    return parts.join(', ');
  });
  return sentences.join('. ');
}

/** Where the attempts of a gang began, and its last checkpoint. */
export function marksOf(
  trans: TranslationBundle,
  curves: ICurves,
  checkpoint: { step: number } | null
): IMark[] {
  const marks = curves.attempts
    .filter(mark => mark.step >= 0 && mark.trial === null)
    .map(({ attempt, step }) => ({ step, words: trans.__('attempt %1', number(attempt)) }));
  return checkpoint ? [...marks, { step: checkpoint.step, words: trans.__('saved') }] : marks;
}

function plotter(
  lines: IDrawn['lines'],
  stepLabel: string,
  marks: React.MutableRefObject<readonly IMark[]>,
  look: { log: boolean; small: boolean; height: number }
): Plotter {
  return (element, colors, library) => {
    const style = getComputedStyle(element);
    const colorOf = (group: number): string =>
      group < 0
        ? colors.text
        : style.getPropertyValue(COLORS[group % COLORS.length]).trim() || 'gray';
    const points = (chart: uPlot, series: number): boolean =>
      (chart.data[series] as (number | null)[]).filter(value => value !== null).length < 2;
    const seriesOf = ({ group, kind, label }: IDrawn['lines'][number], index: number) => {
      const color = colorOf(group);
      const edge = kind === 'low' || kind === 'high';
      if (kind === 'faint') {
        const stroke = faded(color, 0.45);
        return { label, stroke, width: 1, points: { show: false } };
      }
      const own = lines.filter(line => line.group === group && line.kind === 'own');
      const faint = own.length > 1 && own[0] !== lines[index];
      return {
        label,
        value: latest,
        stroke: edge ? 'transparent' : faint ? faded(color, 0.55) : color,
        width: edge ? 0 : 1.5,
        dash: edge ? undefined : DASHES[group % DASHES.length],
        spanGaps: false,
        points: { show: edge ? false : points, size: 6, stroke: color, fill: color }
      };
    };
    const bands = lines.flatMap((line, index) =>
      line.kind === 'high'
        ? [
            {
              series: [index + 1, index + 2] as [number, number],
              fill: faded(colorOf(line.group), 0.18)
            }
          ]
        : []
    );
    const axis = {
      stroke: colors.text,
      grid: { stroke: colors.grid, width: 1 },
      ticks: { stroke: colors.grid, width: 1 }
    };
    const chart = new library(
      {
        width: element.clientWidth || 200,
        height: look.height,
        cursor: look.small ? { show: false } : { drag: { x: true, y: false } },
        legend: { show: !look.small },
        padding: look.small ? [3, 2, 3, 2] : [14, 12, 0, 0],
        axes: look.small
          ? [{ show: false }, { show: false }]
          : [
              { ...axis, values: (_, steps) => steps.map(step => number(step)), incrs: STEPS },
              {
                ...axis,
                size: 64,
                values: (_, values) =>
                  values.map(value => (value === null ? '' : significant(value, 4)))
              }
            ],
        scales: {
          x: {
            time: false,
            range: (_, min, max) => (min === max ? [min - 1, max + 1] : [min, max])
          },
          y: look.log ? { distr: 3 } : { range: (_, min, max) => roomy(min, max) }
        },
        bands,
        series: [{ label: stepLabel, value: latest }, ...lines.map(seriesOf)],
        hooks: { draw: [each => drawMarks(each, marks.current, colors, look.small)] }
      },
      [[], ...lines.map(() => [])],
      element
    );
    // An edge of a band is no line that anybody chooses, nor is one in the background.
    element.querySelectorAll('.u-series').forEach((row, index) => {
      const line = lines[index - 1];
      const chosen = !line || line.kind === 'mean' || line.kind === 'own';
      (row as HTMLElement).style.display = chosen ? '' : 'none';
    });
    return chart;
  };
}

/** Steps between two ticks: whole ones. */
const STEPS = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map(n => n * 10 ** power)).flat();

function roomy(min: number, max: number): [number, number] {
  const room = max > min ? (max - min) * 0.06 : Math.abs(max) * 0.1 || 1;
  return [min - room, max + room];
}

/** What the legend says: the value at the pointer; without one the last. */
const latest: uPlot.Series.Value = (chart, _, series, index) => {
  const column = chart.data[series] as (number | null)[];
  let at = index ?? column.length - 1;
  while (index === null && at > 0 && column[at] === null) {
    at--;
  }
  const value = column[at];
  return typeof value !== 'number' ? '–' : series === 0 ? number(value) : significant(value, 4);
};
