import React, { useEffect, useMemo, useRef } from 'react';
import type uPlot from 'uplot';

import { faded, Plot, Plotter } from '../cluster/plot';
import { COLORS, DASHES } from '../curve/chart';
import { drawMarks, IMark } from '../curve/marks';
import { useMlops } from '../state/hooks';
import { clock, tick } from '../words/time';

/** A line over time: its points, the earliest first. A gap is null. */
export interface ILine {
  label: string;
  points: readonly (readonly [time: number, value: number | null])[];
  /** Which of the colours it has; lines of the same number belong together. */
  color: number;
  /** Less important than the other lines of its colour. */
  faint?: boolean;
  /** Only its points are drawn, as where they are far apart. */
  dots?: boolean;
}

interface ITimeChartProps {
  /** What it shows. */
  title: string;
  /** What its title means. */
  hint?: string;
  lines: readonly ILine[];
  marks: readonly IMark[];
  since: number;
  until: number;
  /** How a value is written. */
  format: (value: number) => string;
  handle: string;
}

const HEIGHT = 148;

/** Lines of fewer points show each: one between two gaps couldn't be seen. */
const FEW = 60;

/** Seconds between two ticks. */
const TICKS = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800];

/** Lines over time, from nothing on, with marks. What they say is in words, too. */
export function TimeChart(props: ITimeChartProps): JSX.Element {
  const { title, hint, lines, since, until, format, handle } = props;
  const { store, trans } = useMlops();
  const element = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const shown = useRef(props);
  shown.current = props;
  const data = useMemo(() => columns(lines), [lines]);
  // Another look is another chart, other values are not.
  const shape = JSON.stringify(
    lines.map(({ label, color, faint, dots }) => [label, color, faint, dots])
  );

  useEffect(() => {
    plot.current = new Plot(element.current!, plotter(shown, trans.__('time')));
    return () => plot.current!.dispose();
  }, [shape, trans]);
  useEffect(() => plot.current!.set(data), [data, shape, since, until, props.marks]);

  const now = store.now();
  const words = lines.map(({ label, points }) => {
    const known = points.filter((point): point is [number, number] => point[1] !== null);
    if (known.length === 0) {
      return '';
    }
    const [last] = known.slice(-1);
    const most = known.reduce((one, other) => (other[1] > one[1] ? other : one));
    return trans.__(
      '%1: %2 at %3, at most %4 at %5',
      label,
      format(last[1]),
      clock(last[0], now),
      format(most[1]),
      clock(most[0], now)
    );
  });
  return (
    <section className="jp-mlops-time-chart" data-mlops={handle}>
      <h4 title={hint}>{title}</h4>
      <div
        ref={element}
        className="jp-mlops-time-plot"
        role="img"
        aria-label={[title, ...words.filter(Boolean)].join('. ')}
      />
    </section>
  );
}

function plotter(shown: React.MutableRefObject<ITimeChartProps>, timeLabel: string): Plotter {
  return (element, colors, library) => {
    const { lines } = shown.current;
    const style = getComputedStyle(element);
    const colorOf = (index: number): string =>
      style.getPropertyValue(COLORS[index % COLORS.length]).trim() || 'gray';
    const axis = {
      stroke: colors.text,
      grid: { stroke: colors.grid, width: 1 },
      ticks: { stroke: colors.grid, width: 1 }
    };
    const words = (value: number | null | undefined): string =>
      typeof value === 'number' ? shown.current.format(value) : '–';
    return new library(
      {
        width: element.clientWidth || 300,
        height: HEIGHT,
        cursor: { drag: { x: false, y: false } },
        padding: [14, 20, 0, 0],
        axes: [
          {
            ...axis,
            size: 28,
            incrs: TICKS,
            values: (_, moments, __, ___, step) => moments.map(moment => tick(moment, step))
          },
          { ...axis, size: 64, values: (_, values) => values.map(words) }
        ],
        scales: {
          x: { time: true, range: () => [shown.current.since, shown.current.until] },
          y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] }
        },
        series: [
          {
            label: timeLabel,
            value: (chart, _, series, index) =>
              timeOf(index === null ? lastOf(chart.data[series]) : chart.data[series][index])
          },
          ...lines.map(({ label, color, faint, dots }): uPlot.Series => {
            const stroke = faint ? faded(colorOf(color), 0.5) : colorOf(color);
            return {
              label,
              value: (chart, value, series, index) =>
                words(index === null ? lastOf(chart.data[series]) : value),
              stroke,
              width: dots ? 0 : 1.5,
              dash: DASHES[color % DASHES.length],
              points: { show: dots ?? alone, size: 4, stroke, fill: stroke }
            };
          })
        ],
        hooks: { draw: [chart => drawMarks(chart, shown.current.marks, colors, false)] }
      },
      [[], ...lines.map(() => [])],
      element
    );
  };
}

function alone(chart: uPlot, series: number): boolean {
  return Array.from(chart.data[series]).filter(value => typeof value === 'number').length < FEW;
}

function timeOf(seconds: number | null | undefined): string {
  return typeof seconds === 'number' ? clock(seconds, Date.now() / 1000) : '–';
}

function lastOf(column: ArrayLike<number | null | undefined>): number | null {
  for (let at = column.length - 1; at >= 0; at--) {
    const value = column[at];
    if (typeof value === 'number') {
      return value;
    }
  }
  return null;
}

/** Lines as columns that share their times. Where a line has no point, it goes on to its next one. */
export function columns(lines: readonly ILine[]): uPlot.AlignedData {
  const times = [...new Set(lines.flatMap(line => line.points.map(([time]) => time)))].sort(
    (a, b) => a - b
  );
  const rows = lines.map(line => {
    const values = new Map(line.points);
    return times.map(time => values.get(time));
  });
  return [times, ...rows] as uPlot.AlignedData;
}
