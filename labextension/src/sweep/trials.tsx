import { TranslationBundle } from '@jupyterlab/translation';
import React, { useMemo } from 'react';

import { IColumn, Table } from '../details/table';
import { useMlops } from '../state/hooks';
import { SweepOptions, Trial } from '../state/schema';
import { number, significant } from '../words/number';
import { given, trialPhase } from '../words/sweep';
import { span } from '../words/time';

/** Rows that are in sight without scrolling, and pixels of a row, and of what stands above. */
const ROWS = 10;
const ROW = 24;
const HEAD = 40;
/** Characters of a column, at least and at most; pixels of one, and of what stands between two columns. */
const NARROW = 5;
const WIDE = 14;
const CHARACTER = 7.2;
const BETWEEN = 8;
/** Trials by which columns are measured. */
const MEASURED = 200;

interface IProps {
  label: string;
  sweep: SweepOptions | null;
  names: readonly string[];
  /** The best ones first. */
  ordered: readonly Trial[];
  best: Trial | null;
  rows?: number;
}

/** Every trial: what it was given, what came of it, how long it took. */
export function Trials(props: IProps): JSX.Element {
  const { label, sweep, names, ordered, best, rows = ROWS } = props;
  const { store, trans } = useMlops();
  const ranks = useMemo(
    () => new Map(ordered.map((trial, index) => [trial.number, index])),
    [ordered]
  );
  const metrics = useMemo(
    () => [...new Set(ordered.flatMap(trial => Object.keys(trial.metrics)))],
    [ordered]
  );
  const goal = sweep?.goal ?? 'max';
  const columns = useMemo(
    () =>
      columnsOf(trans, sweep, names, metrics, ranks, best, store.now()).map(column =>
        measured(column, ordered)
      ),
    // The moment is how long those take that are under way: it counts when something else has changed.
    // eslint-disable-next-line react-hooks/exhaustive-deps -- see above
    [trans, sweep, names, metrics, ranks, best, ordered]
  );
  const minWidth = columns.reduce(
    (sum, { characters }) => sum + (characters ?? 0) * CHARACTER + BETWEEN,
    BETWEEN
  );
  return (
    <div
      className="jp-mlops-trials"
      style={{ height: Math.min(rows, ordered.length) * ROW + HEAD }}
      data-mlops="trials"
    >
      <Table
        label={label}
        rows={ordered}
        columns={columns}
        name={nameOf}
        first={{ id: 'value', down: goal === 'max' }}
        minWidth={`${minWidth}px`}
      />
    </div>
  );
}

function nameOf(trial: Trial): string {
  return String(trial.number);
}

/** A column as wide as its head and its words need, within bounds, and its share of what is left. */
function measured(column: IColumn<Trial>, trials: readonly Trial[]): IColumn<Trial> {
  const words = trials.slice(0, MEASURED).map(trial => {
    const shown = column.show(trial);
    return typeof shown === 'string' ? shown.length : 0;
  });
  const longest = Math.max(NARROW, column.label.length + 1, ...words);
  const characters = Math.min(WIDE, longest);
  return { ...column, width: `minmax(${characters}ch, ${column.width})`, characters };
}

function columnsOf(
  trans: TranslationBundle,
  sweep: SweepOptions | null,
  names: readonly string[],
  metrics: readonly string[],
  ranks: ReadonlyMap<number, number>,
  best: Trial | null,
  now: number
): IColumn<Trial>[] {
  // Ordered by the value, the best trials stand first, and those that have come to no end last.
  const sign = sweep?.goal === 'min' ? 1 : -1;
  const took = (trial: Trial): number => Math.max(0, (trial.ended ?? now) - trial.began);
  const width = '1fr';
  return [
    {
      id: 'number',
      label: trans.__('Trial'),
      show: trial =>
        trial.number === best?.number ? (
          <strong title={trans.__('the best one')}>
            <span className="jp-mlops-hidden">{trans.__('the best one:')} </span>
            <span aria-hidden="true">★ </span>
            {number(trial.number)}
          </strong>
        ) : (
          number(trial.number)
        ),
      by: trial => trial.number,
      numeric: true,
      width
    },
    {
      id: 'value',
      label: sweep?.metric ?? trans.__('Value'),
      show: trial =>
        trial.value === null ? (
          ''
        ) : trial.phase === 'running' ? (
          <span className="jp-mlops-faint" title={trans.__('so far')}>
            {significant(trial.value, 5)} …
          </span>
        ) : (
          significant(trial.value, 5)
        ),
      by: trial => sign * (ranks.get(trial.number) ?? 0),
      numeric: true,
      width
    },
    ...names.map(name => ({
      id: `param-${name}`,
      label: name,
      show: (trial: Trial) => (name in trial.params ? given(trial.params[name]) : ''),
      by: (trial: Trial) => {
        const value = trial.params[name];
        return typeof value === 'number' ? value : String(value ?? '');
      },
      numeric: true,
      width
    })),
    ...metrics.map(name => ({
      id: `metric-${name}`,
      label: name,
      show: (trial: Trial) => {
        const value = trial.metrics[name];
        return typeof value === 'number' ? significant(value, 5) : '';
      },
      by: (trial: Trial) => trial.metrics[name] ?? -Infinity,
      numeric: true,
      width
    })),
    {
      id: 'took',
      label: trans.__('Took'),
      show: trial => span(trans, took(trial)),
      by: took,
      numeric: true,
      width
    },
    {
      id: 'state',
      label: trans.__('State'),
      show: trial => (
        <span className="jp-mlops-trial-state" data-phase={trial.phase} title={trial.error}>
          {trialPhase(trans, trial.phase)}
          {trial.error && `: ${trial.error}`}
        </span>
      ),
      by: trial => trial.phase,
      width: '1.5fr'
    }
  ];
}
