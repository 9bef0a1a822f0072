import React, { useState } from 'react';

import { useMlops } from '../state/hooks';
import { Forecast, Ladder, Rung } from '../state/schema';
import { atSize, rate } from '../words/ladder';
import { number } from '../words/number';

/** The room of the drawing, in its own units; it is as wide as what it stands in. */
const WIDTH = 240;
const HEIGHT = 110;
const LEFT = 6;
const RIGHT = 6;
const TOP = 14;
const BOTTOM = 16;

/** Of each number of workers what was measured, else what is forecast. */
export function known(ladder: Ladder): (Rung | Forecast)[] {
  const tried = new Set(ladder.rungs.map(rung => rung.workers));
  const others = ladder.forecast.filter(each => !tried.has(each.workers));
  return [...ladder.rungs, ...others].sort((a, b) => a.workers - b.workers);
}

/**
 * The speed over the number of workers: points that were measured, the line and band of what is forecast, and a number
 * that a person looks at, by pointer or arrow keys, with all that is known of it in words.
 */
export function LadderChart({ ladder }: { ladder: Ladder }): JSX.Element {
  const { trans } = useMlops();
  const points = known(ladder);
  const started = points.findIndex(each => each.workers === ladder.chosen?.workers);
  const [looked, setLooked] = useState<number | null>(null);
  const at = Math.min(looked ?? (started < 0 ? points.length - 1 : started), points.length - 1);
  const seen = points[at];
  const most = Math.max(...points.map(each => each.workers));
  const top = Math.max(...points.map(each => ('high' in each ? each.high : each.rate)));
  const x = (workers: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * workers) / most;
  const y = (value: number): number => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value) / top;
  const path = (pairs: [number, number][]): string =>
    pairs.map(([workers, value]) => `${x(workers)},${y(value)}`).join(' ');
  const words = atSize(trans, ladder, seen, ladder.rungs[0]);
  const why = 'problem' in seen && seen.problem ? seen.problem : null;
  const move = (event: React.KeyboardEvent): void => {
    const steps: Record<string, number> = {
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      Home: 0,
      End: points.length - 1
    };
    if (event.key in steps) {
      event.preventDefault();
      setLooked(Math.max(0, Math.min(points.length - 1, steps[event.key])));
    }
  };
  const point = (event: React.PointerEvent<SVGSVGElement>): void => {
    const box = event.currentTarget.getBoundingClientRect();
    const workers = (((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (x(most) - LEFT);
    const distance = points.map(each => Math.abs(each.workers - workers * most));
    setLooked(distance.indexOf(Math.min(...distance)));
  };
  return (
    <>
      <svg
        className="jp-mlops-ladder-chart"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="slider"
        tabIndex={0}
        aria-label={trans.__('Speed with other numbers of workers')}
        aria-valuemin={points[0].workers}
        aria-valuemax={most}
        aria-valuenow={seen.workers}
        aria-valuetext={words}
        onKeyDown={move}
        onPointerDown={point}
        data-mlops="ladder-chart"
      >
        <line className="jp-mod-axis" x1={LEFT} x2={WIDTH - RIGHT} y1={y(0)} y2={y(0)} />
        <line
          className="jp-mod-seen"
          x1={x(seen.workers)}
          x2={x(seen.workers)}
          y1={TOP}
          y2={y(0)}
        />
        {ladder.forecast.length > 0 && (
          <>
            <polygon
              className="jp-mod-band"
              points={path([
                ...ladder.forecast.map((each): [number, number] => [each.workers, each.high]),
                ...[...ladder.forecast]
                  .reverse()
                  .map((each): [number, number] => [each.workers, each.low])
              ])}
            />
            <polyline
              className="jp-mod-line"
              points={path(ladder.forecast.map(each => [each.workers, each.rate]))}
            />
          </>
        )}
        {ladder.rungs.map(rung => (
          <g key={rung.workers} className={rung.cause ? 'jp-mod-dip' : undefined}>
            <circle cx={x(rung.workers)} cy={y(rung.rate)} r={3.5} />
            {rung.cause && (
              <text x={x(rung.workers)} y={y(rung.rate) - 6} textAnchor="middle">
                !
              </text>
            )}
          </g>
        ))}
        <text x={LEFT} y={TOP - 4}>
          {rate(trans, top)}
        </text>
        <text x={WIDTH - RIGHT} y={HEIGHT - 4} textAnchor="end">
          {trans._n('%1 worker', '%1 workers', most)}
        </text>
        {seen.workers !== most && (
          <text
            x={Math.max(LEFT + 4, x(seen.workers))}
            y={HEIGHT - 4}
            textAnchor="middle"
            className="jp-mod-number"
          >
            {x(seen.workers) < WIDTH * 0.65 ? number(seen.workers) : ''}
          </text>
        )}
      </svg>
      <p className="jp-mlops-ladder-words" data-mlops="ladder-words">
        {words}
      </p>
      {why && (
        <p className="jp-mlops-ladder-dip" data-mlops="ladder-dip">
          {`${why.what}: ${why.why}. ${why.todo}`}
        </p>
      )}
    </>
  );
}
