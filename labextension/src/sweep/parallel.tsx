import { TranslationBundle } from '@jupyterlab/translation';
import React, { memo, useEffect, useMemo, useRef, useState } from 'react';

import { useMlops } from '../state/hooks';
import { SweepOptions, Trial } from '../state/schema';
import { number, significant } from '../words/number';
import { settingsOf, trialPhase } from '../words/sweep';
import { axesOf, IAxis, ITrialLine, linesOf, MOST_LINES, strength } from './axes';

/** Pixels: between two axes at least, beside the outer ones, for the names and words above, and for those below. */
const GAP = 46;
const SIDE = 6;
const TOP = 32;
const BOTTOM = 16;
/** Pixels of a character, about. */
const CHARACTER = 6.2;

interface IProps {
  sweep: SweepOptions | null;
  names: readonly string[];
  /** The best ones first. */
  ordered: readonly Trial[];
  best: Trial | null;
  height: number;
}

/**
 * The trials of a sweep as lines from argument to argument to what came of it. How good one is is its colour's strength
 * and its width. The table has the same in numbers.
 */
export function Parallel({ sweep, names, ordered, best, height }: IProps): JSX.Element | null {
  const { trans } = useMlops();
  const element = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(240);
  const value = sweep?.metric ?? trans.__('value');
  const axes = useMemo(() => axesOf(sweep, names, ordered, value), [sweep, names, ordered, value]);
  const lines = useMemo(() => linesOf(axes, ordered), [axes, ordered]);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setRoom(Math.floor(entry.contentRect.width)));
    watch.observe(element.current!);
    return () => watch.disconnect();
  }, []);
  const width = Math.max(room, 2 * SIDE + GAP * (axes.length - 1));
  const gap = (width - 2 * SIDE) / Math.max(1, axes.length - 1);
  const reaches = height - TOP - BOTTOM;
  return (
    <figure className="jp-mlops-parallel" data-mlops="parallel">
      <div
        ref={element}
        className="jp-mlops-parallel-room"
        tabIndex={width > room ? 0 : undefined}
        role="img"
        aria-label={describe(trans, axes, ordered, best)}
      >
        <svg width={width} height={height} aria-hidden="true">
          <g transform={`translate(${SIDE}, ${TOP})`}>
            {axes.map((axis, index) => (
              <AxisLine key={axis.name} axis={axis} x={index * gap} height={reaches} />
            ))}
            {lines.map(line => (
              <Line
                key={line.trial.number}
                line={line}
                best={line.trial === best}
                among={lines.length}
                gap={gap}
                height={reaches}
                title={titleOf(trans, line.trial)}
              />
            ))}
            {axes.map((axis, index) => (
              <AxisWords
                key={axis.name}
                axis={axis}
                x={index * gap}
                side={index === 0 ? 'start' : index === axes.length - 1 ? 'end' : 'middle'}
                characters={Math.floor(gap / CHARACTER) - 1}
                height={reaches}
              />
            ))}
          </g>
        </svg>
      </div>
      <figcaption>
        {trans.__('The stronger a line, the better; dashed: pruned; dotted: failed.')}
        {ordered.length > MOST_LINES &&
          ` ${trans.__('%1 of %2 trials are drawn, the best ones among them.', number(MOST_LINES), number(ordered.length))}`}
      </figcaption>
    </figure>
  );
}

/** Drawn again only when it changes: most trials don't. */
const Line = memo(
  function Line(props: {
    line: ITrialLine;
    best: boolean;
    among: number;
    gap: number;
    height: number;
    title: string;
  }): JSX.Element {
    const { line, best } = props;
    const { width, opacity } = strength(line.level, props.among);
    return (
      <path
        d={pathOf(line.places, props.gap, props.height)}
        strokeWidth={width}
        strokeOpacity={opacity}
        data-level={best ? 'best' : (line.level ?? undefined)}
        data-phase={line.trial.phase}
        data-trial={line.trial.number}
      >
        <title>{props.title}</title>
      </path>
    );
  },
  (old, now) =>
    old.line.trial === now.line.trial &&
    old.line.level === now.line.level &&
    old.best === now.best &&
    old.among === now.among &&
    old.gap === now.gap &&
    old.height === now.height &&
    old.line.places.every((place, index) => place === now.line.places[index])
);

/** A line through its places; one that has none on an axis goes on from its next one. */
export function pathOf(places: readonly (number | null)[], gap: number, height: number): string {
  const points = places.flatMap((place, index) =>
    place === null ? [] : [`${round(index * gap)},${round((1 - place) * height)}`]
  );
  return points.length ? `M${points.join('L')}` : '';
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function AxisLine({ axis, x, height }: { axis: IAxis; x: number; height: number }): JSX.Element {
  return (
    <>
      <line x1={x} x2={x} y1={0} y2={height} />
      {axis.marks.map(at => (
        <line key={at} x1={x - 3} x2={x + 3} y1={(1 - at) * height} y2={(1 - at) * height} />
      ))}
    </>
  );
}

function AxisWords(props: {
  axis: IAxis;
  x: number;
  side: 'start' | 'middle' | 'end';
  characters: number;
  height: number;
}): JSX.Element {
  const { axis, x, side, characters, height } = props;
  const last = side === 'end';
  return (
    <>
      <text x={x} y={-20} textAnchor={side} className="jp-mlops-axis-name">
        <title>{axis.name}</title>
        {cut(axis.name, characters)}
      </text>
      {axis.ticks.map(({ at, words }) => {
        const y = (1 - at) * height;
        return axis.named ? (
          <text key={words} x={last ? x - 4 : x + 4} y={y + 3} textAnchor={last ? 'end' : 'start'}>
            <title>{words}</title>
            {cut(words, characters)}
          </text>
        ) : (
          <text key={words} x={x} y={at > 0 ? y - 5 : y + 12} textAnchor={side}>
            {words}
          </text>
        );
      })}
    </>
  );
}

function cut(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, Math.max(1, characters - 1))}…`;
}

function titleOf(trans: TranslationBundle, trial: Trial): string {
  const state =
    trial.value === null || trial.phase !== 'done' ? trialPhase(trans, trial.phase) : '';
  const value = trial.value === null ? '' : significant(trial.value, 5);
  const came = [value, state].filter(Boolean).join(', ');
  return `${trans.__('trial %1: %2', number(trial.number), came)}\n${settingsOf(trial)}`;
}

/** The lines in words. */
function describe(
  trans: TranslationBundle,
  axes: readonly IAxis[],
  ordered: readonly Trial[],
  best: Trial | null
): string {
  const over = axes.map(axis => axis.name).join(', ');
  const all = trans._n(
    '%2 trial over %3',
    '%2 trials over %3',
    ordered.length,
    number(ordered.length),
    over
  );
  return best === null
    ? all
    : trans.__('%1. The best one: %2 with %3', all, significant(best.value!, 5), settingsOf(best));
}
