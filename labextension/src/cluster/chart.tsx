import React, { memo, useEffect, useMemo, useRef } from 'react';
import type uPlot from 'uplot';

import { useMlops } from '../state/hooks';
import { Sample } from '../state/schema';
import { faded, Plot, Plotter } from './plot';

const HEIGHT = 36;
/** Seconds that the chart shows at most, and at least: a young cluster's first minute fills it. */
const LONGEST = 15 * 60;
const SHORTEST = 60;

const plotter: Plotter = (element, colors, library) => {
  const { stepped, linear } = library.paths;
  const shared = { points: { show: false } };
  return new library(
    {
      width: element.clientWidth || 200,
      height: HEIGHT,
      cursor: { show: false },
      legend: { show: false },
      padding: [2, 0, 1, 0],
      axes: [{ show: false }, { show: false }],
      scales: {
        x: { time: true, range: (_, min, max) => [windowStart(min, max), max] },
        y: { range: (_, __, max) => [0, Math.max(1, max) * 1.05] }
      },
      series: [
        {},
        {
          ...shared,
          stroke: colors.running,
          fill: faded(colors.running, 0.2),
          width: 1,
          paths: stepped!({ align: 1 })
        },
        { ...shared, stroke: colors.busy, width: 1.5, paths: linear!() }
      ]
    },
    [[], [], []],
    element
  );
};

/** Workers and the CPUs that they use, over the last 15 minutes. */
export const Chart = memo(function Chart(props: {
  timeline: readonly Sample[];
  cpu: number;
  cpus: number;
  /** Workers that are there now. */
  workers: number;
}): JSX.Element {
  const { trans } = useMlops();
  const element = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const last = props.timeline[props.timeline.length - 1];
  const each = props.workers > 0 && props.cpus > 0 ? props.cpus / props.workers : 1;
  const data = useMemo(
    () => columns(props.timeline, each),
    // The server sends the whole timeline anew; its end says whether it is another one.
    // eslint-disable-next-line react-hooks/exhaustive-deps -- see above
    [last?.time, props.timeline.length, each]
  );

  useEffect(() => {
    plot.current = new Plot(element.current!, plotter);
    return () => plot.current!.dispose();
  }, []);
  useEffect(() => plot.current!.set(data), [data]);

  const words = trans.__(
    'Workers (area) and CPUs in use (line) over the last 15 minutes; now %1 of %2 CPUs in use',
    props.cpu.toFixed(1),
    props.cpus
  );
  return (
    <div
      ref={element}
      className="jp-mlops-chart"
      role="img"
      aria-label={words}
      title={words}
      data-mlops="chart"
    />
  );
});

function windowStart(first: number, last: number): number {
  return last - Math.max(SHORTEST, Math.min(LONGEST, last - first));
}

/** CPUs are drawn on the workers' scale: the line reaches the area's edge when every worker is at full load. */
function columns(timeline: readonly Sample[], cpusEach: number): uPlot.AlignedData {
  return [
    timeline.map(sample => sample.time),
    timeline.map(sample => sample.running),
    timeline.map(sample => sample.cpu / cpusEach)
  ];
}
