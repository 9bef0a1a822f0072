import React, { useEffect, useMemo, useRef, useState } from 'react';
import type uPlot from 'uplot';

import { faded, Plot, Plotter } from '../cluster/plot';
import { ProblemLine } from '../controls/problem';
import { useMlops } from '../state/hooks';
import { Event, Sample } from '../state/schema';
import { number } from '../words/number';
import { clock, tick } from '../words/time';
import { useEvents } from './events';
import { useFetched } from './fetched';
import { IPartProps } from './part';

const HEIGHT = 320;
/** Seconds that are shown at least: the first of a young cluster don't fill the chart. */
const SHORTEST = 120;
/** Seconds between two ticks: never a part of one. */
const TICKS = [
  ...[1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map(minutes => minutes * 60),
  ...[1, 2, 3, 4, 6, 8, 12, 24, 48, 96].map(hours => hours * 3600)
];
/** Kinds of events that explain a bend in the lines. */
const MARKED: readonly Event['kind'][] = ['scale', 'problem', 'limit', 'cluster'];

/** What was wanted and what there was, with marks for what happened and why. */
export function TimelinePart(props: IPartProps): JSX.Element {
  const { cluster } = props;
  const { store, trans } = useMlops();
  const [minutes, setMinutes] = useState(0);
  const events = useEvents(props);
  const { value, problem } = useFetched(`${cluster.id} ${cluster.phase === 'ended'}`, () =>
    store.api.timeline(cluster.id)
  );
  const samples = useMemo(() => join(value ?? [], cluster.timeline), [value, cluster.timeline]);
  const data = useMemo(() => columns(samples, minutes), [samples, minutes]);
  const marks = useMemo(() => events.filter(event => MARKED.includes(event.kind)), [events]);
  return (
    <div className="jp-mlops-scroll jp-mlops-timeline">
      <div className="jp-mlops-logs-bar">
        <label>
          {trans.__('Show')}{' '}
          <select
            value={minutes}
            onChange={event => setMinutes(Number(event.target.value))}
            data-mlops="timeline-span"
          >
            <option value={0}>{trans.__('everything')}</option>
            <option value={15}>{trans.__('the last 15 min')}</option>
            <option value={60}>{trans.__('the last hour')}</option>
            <option value={360}>{trans.__('the last 6 hours')}</option>
          </select>
        </label>
      </div>
      {problem && <ProblemLine problem={problem} />}
      {samples.length > 1 ? (
        <TimelineChart data={data} marks={marks} cluster={cluster.name} />
      ) : (
        <p className="jp-mlops-hint">{trans.__('The line begins with its second point.')}</p>
      )}
    </div>
  );
}

function TimelineChart(props: {
  data: uPlot.AlignedData;
  marks: readonly Event[];
  cluster: string;
}): JSX.Element {
  const { data, marks } = props;
  const { store, trans } = useMlops();
  const element = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const shownMarks = useRef(marks);
  const [near, setNear] = useState<readonly Event[]>([]);
  shownMarks.current = marks;

  useEffect(() => {
    const names = [
      trans.__('time'),
      trans.__('wanted'),
      trans.__('pending'),
      trans.__('running'),
      trans.__('busy')
    ];
    plot.current = new Plot(element.current!, plotter(names, shownMarks, setNear));
    return () => plot.current!.dispose();
  }, [trans]);
  useEffect(() => plot.current!.set(data), [data, marks]);

  return (
    <>
      <div
        ref={element}
        className="jp-mlops-big-chart"
        role="img"
        aria-label={trans.__(
          'Workers of %1 over time: wanted, pending, running and busy. The tab Events says the same in words.',
          props.cluster
        )}
        data-mlops="timeline"
      />
      <ul className="jp-mlops-near" aria-hidden="true">
        {near.map(event => (
          <li key={event.seq}>
            <time>{clock(event.time, store.now())}</time> {event.text}
          </li>
        ))}
      </ul>
    </>
  );
}

/** Pixels between the pointer and a mark at which the mark's words are shown. */
const NEAR = 12;

function plotter(
  names: string[],
  marks: React.MutableRefObject<readonly Event[]>,
  onNear: (events: readonly Event[]) => void
): Plotter {
  return (element, colors, library) => {
    const path = library.paths.stepped!({ align: 1 });
    const points = { show: false };
    const axis: uPlot.Axis = {
      stroke: colors.text,
      grid: { stroke: colors.grid, width: 1 },
      ticks: { stroke: colors.grid, width: 1 }
    };
    const line = (label: string, stroke: string, more: Partial<uPlot.Series>): uPlot.Series => ({
      label,
      value: latest(number),
      stroke,
      paths: path,
      points,
      width: 1.5,
      ...more
    });
    return new library(
      {
        width: element.clientWidth || 600,
        height: HEIGHT,
        axes: [
          {
            ...axis,
            incrs: TICKS,
            values: (_, moments, __, ___, step) => moments.map(moment => tick(moment, step))
          },
          { ...axis, size: 56, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] }
        ],
        scales: {
          x: { time: true, range: (chart, min, max) => [beginning(chart, min, max), max] },
          y: { range: (_, __, max) => [0, Math.max(1, max) * 1.08] }
        },
        cursor: { drag: { x: true, y: false } },
        series: [
          { label: names[0], value: latest(value => clock(value, Date.now() / 1000)) },
          line(names[1], colors.wanted, { dash: [4, 3], width: 1 }),
          line(names[2], colors.pending, {}),
          line(names[3], colors.running, { fill: faded(colors.running, 0.18) }),
          line(names[4], colors.busy, { fill: faded(colors.busy, 0.25) })
        ],
        hooks: {
          draw: [chart => drawMarks(chart, marks.current, colors.wanted)],
          setCursor: [
            chart =>
              onNear(
                marks.current.filter(
                  event =>
                    Math.abs(chart.valToPos(event.time, 'x') - (chart.cursor.left ?? -99)) < NEAR
                )
              )
          ]
        }
      },
      [[], [], [], [], []],
      element
    );
  };
}

/** What the legend says of a line: its value at the pointer; without a pointer the latest. */
function latest(words: (value: number) => string): uPlot.Series.Value {
  return (chart, _, series, index) => {
    const column = chart.data[series];
    const value = column[index ?? column.length - 1];
    return typeof value === 'number' ? words(value) : '';
  };
}

/** Where the x axis begins: two minutes ago for a younger cluster, else where the data or a zoom begins. */
function beginning(chart: uPlot, min: number, max: number): number {
  const all = min === chart.data[0][0] && max === chart.data[0][chart.data[0].length - 1];
  return all ? Math.min(min, max - SHORTEST) : min;
}

function drawMarks(chart: uPlot, marks: readonly Event[], color: string): void {
  const { ctx, bbox, scales } = chart;
  const { min = 0, max = 0 } = scales.x;
  ctx.save();
  ctx.fillStyle = color;
  for (const { time } of marks) {
    if (time >= min && time <= max) {
      const x = chart.valToPos(time, 'x', true);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top + 6);
      ctx.lineTo(x - 5, bbox.top - 2);
      ctx.lineTo(x + 5, bbox.top - 2);
      ctx.fill();
      ctx.globalAlpha = 0.25;
      ctx.fillRect(x - 0.5, bbox.top, 1, bbox.height);
      ctx.globalAlpha = 1;
    }
  }
  ctx.restore();
}

/** The history that was asked for, then what came since. */
export function join(history: readonly Sample[], recent: readonly Sample[]): readonly Sample[] {
  const last = history.length ? history[history.length - 1].time : 0;
  return [...history, ...recent.filter(sample => sample.time > last)];
}

function columns(samples: readonly Sample[], minutes: number): uPlot.AlignedData {
  const last = samples.length ? samples[samples.length - 1].time : 0;
  const shown = minutes ? samples.filter(sample => sample.time >= last - minutes * 60) : samples;
  return [
    shown.map(sample => sample.time),
    shown.map(sample => sample.wanted),
    shown.map(sample => sample.pending),
    shown.map(sample => sample.running),
    shown.map(sample => sample.busy)
  ];
}
