import React, { useMemo, useState } from 'react';

import { ProblemLine } from '../controls/problem';
import { useFollow, useMlops, useSelector } from '../state/hooks';
import { CurveData, RunState } from '../state/schema';
import { newest } from '../state/state';
import { number, significant } from '../words/number';
import { runPhase } from '../words/run';
import { clock } from '../words/time';
import { CurveChart, ILook, marksOf } from './chart';
import { facts, IGroup, mainKey, NONE } from './data';
import { useCurves } from './fetch';

/** Points of a curve, runs that are offered for comparison, and those that are drawn. */
const POINTS = 800;
const OFFERED = 20;
const COMPARED = 5;
const HEIGHT = 320;

/** The curves of a run, and those of other runs on the same axes. */
export function CurvesView({ run: id }: { run: string }): JSX.Element {
  const { store, trans } = useMlops();
  const told = useSelector(state => state.runs);
  const older = useSelector(state => state.older);
  const loaded = useSelector(state => state.loaded);
  const [ticked, setTicked] = useState<readonly string[]>([]);
  const [key, setKey] = useState<string | null>(null);
  const [look, setLook] = useState<ILook>({ each: false, log: false, smoothing: 0 });
  useFollow('run', id);
  const run = told.get(id) ?? older.get(id);
  const runs = useMemo(
    () => [id, ...ticked].flatMap(each => told.get(each) ?? older.get(each) ?? []),
    [id, ticked, told, older]
  );
  const { curves, problem } = useCurves(runs, POINTS);
  const keys = useMemo(
    () => [...new Set(runs.flatMap(each => [...(curves.get(each.id)?.byKey.keys() ?? [])]))],
    [runs, curves]
  );
  const shown = key !== null && keys.includes(key) ? key : mainKey(keys);
  const groups = useMemo(() => groupsOf(runs, curves, shown), [runs, curves, shown]);
  const own = curves.get(id) ?? NONE;
  const marks = useMemo(
    () => (ticked.length ? [] : marksOf(trans, own, run?.checkpoint ?? null)),
    [trans, ticked, own, run?.checkpoint]
  );
  const others = useMemo(
    () =>
      comparable(
        newest(told.values(), each => each.id),
        run
      ),
    [told, run]
  );
  if (!run) {
    return (
      <p className="jp-mlops-hint">
        {loaded ? trans.__('There is no such run any more.') : trans.__('Connecting…')}
      </p>
    );
  }
  const tick = (other: string, on: boolean): void =>
    setTicked(on ? [...ticked, other] : ticked.filter(each => each !== other));
  return (
    <div className="jp-mlops-scroll jp-mlops-curves-view" data-mlops="curves-view">
      <div className="jp-mlops-summary">
        <h2>{run.name}</h2>
        <span>{runPhase(trans, run.phase)}</span>
        <span>{run.cluster}</span>
      </div>
      {problem && <ProblemLine problem={problem} />}
      {shown === null ? (
        <p className="jp-mlops-hint">
          {trans.__('No point yet: %1 in the run’s code draws a curve.', 'mlops.log_metric')}
        </p>
      ) : (
        <>
          <Controls keys={keys} shown={shown} onKey={setKey} look={look} onLook={setLook} />
          <CurveChart metric={shown} groups={groups} marks={marks} height={HEIGHT} {...look} />
          {own.leftOut > 0 && (
            <p className="jp-mlops-hint">
              {trans.__('%1 more curves are not drawn; MLflow has them.', number(own.leftOut))}
            </p>
          )}
          <Numbers metric={shown} groups={groups} />
        </>
      )}
      {others.length > 0 && (
        <fieldset className="jp-mlops-compare" data-mlops="compare">
          <legend>{trans.__('Compare with')}</legend>
          {others.map(other => (
            <label key={other.id} title={other.id}>
              <input
                type="checkbox"
                checked={ticked.includes(other.id)}
                disabled={!ticked.includes(other.id) && ticked.length >= COMPARED}
                onChange={event => tick(other.id, event.target.checked)}
              />{' '}
              {other.name}{' '}
              <span className="jp-mlops-faint">{clock(other.created, store.now())}</span>
            </label>
          ))}
        </fieldset>
      )}
    </div>
  );
}

/** The runs that have a metric in common with this one, the newest first. */
function comparable(runs: readonly RunState[], run: RunState | undefined): RunState[] {
  const mine = Object.keys(run?.metrics ?? {});
  return runs
    .filter(other => other.id !== run?.id && mine.some(key => key in other.metrics))
    .slice(0, OFFERED);
}

/** The lines by run; runs of the same name are told apart by their ids. */
function groupsOf(
  runs: readonly RunState[],
  curves: ReturnType<typeof useCurves>['curves'],
  key: string | null
): IGroup[] {
  return runs.flatMap(run => {
    const ranks = curves.get(run.id)?.byKey.get(key ?? '');
    const twin = runs.some(other => other.id !== run.id && other.name === run.name);
    const name = twin ? `${run.name} ${run.id.slice(0, 4)}` : run.name;
    return ranks ? [{ name, curves: [...ranks.values()] }] : [];
  });
}

function Controls(props: {
  keys: readonly string[];
  shown: string;
  onKey: (key: string) => void;
  look: ILook;
  onLook: (look: ILook) => void;
}): JSX.Element {
  const { trans } = useMlops();
  const { look, onLook } = props;
  return (
    <div className="jp-mlops-logs-bar jp-mlops-curve-bar">
      <label>
        {trans.__('Metric')}{' '}
        <select
          value={props.shown}
          onChange={event => props.onKey(event.target.value)}
          data-mlops="curve-metric"
        >
          {props.keys.map(key => (
            <option key={key}>{key}</option>
          ))}
        </select>
      </label>
      <label>
        {trans.__('Smoothing')}{' '}
        <input
          type="range"
          min={0}
          max={0.99}
          step={0.01}
          value={look.smoothing}
          onChange={event => onLook({ ...look, smoothing: Number(event.target.value) })}
          data-mlops="curve-smoothing"
        />
      </label>
      <label>
        <input
          type="checkbox"
          checked={look.log}
          onChange={event => onLook({ ...look, log: event.target.checked })}
          data-mlops="curve-log"
        />{' '}
        {trans.__('logarithmic')}
      </label>
      <label>
        <input
          type="checkbox"
          checked={look.each}
          onChange={event => onLook({ ...look, each: event.target.checked })}
          data-mlops="curve-each"
        />{' '}
        {trans.__('a line for each rank')}
      </label>
    </div>
  );
}

/** What the chart shows, as a table. */
function Numbers({ metric, groups }: { metric: string; groups: readonly IGroup[] }): JSX.Element {
  const { trans } = useMlops();
  const rows = groups.flatMap(({ name, curves }) => curves.map(curve => ({ name, curve })));
  return (
    <div className="jp-mlops-curve-numbers">
      <table aria-label={trans.__('%1 in numbers', metric)} data-mlops="curve-numbers">
        <thead>
          <tr>
            <th scope="col">{trans.__('Run')}</th>
            <th scope="col">{trans.__('Rank')}</th>
            <th scope="col">{trans.__('Step')}</th>
            <th scope="col">{trans.__('Last')}</th>
            <th scope="col">{trans.__('Smallest')}</th>
            <th scope="col">{trans.__('Largest')}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, curve }) => (
            <tr key={`${name} ${curve.rank}`}>
              <th scope="row">{name}</th>
              <NumberCells curve={curve} />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function NumberCells({ curve }: { curve: CurveData }): JSX.Element {
  const { trans } = useMlops();
  const known = facts(curve);
  const lastStep = curve.steps[curve.steps.length - 1];
  const last = curve.values[curve.values.length - 1];
  const odd = curve.odd && trans.__('%1 from step %2 on', curve.odd, number(curve.odd_step ?? 0));
  return (
    <>
      <td>{number(curve.rank)}</td>
      <td>{lastStep === undefined ? '' : number(lastStep)}</td>
      <td title={odd || undefined}>
        {typeof last === 'number' ? significant(last, 5) : curve.odd || '–'}
      </td>
      <td>{known && trans.__('%1 at %2', significant(known.low, 5), number(known.lowStep))}</td>
      <td>{known && significant(known.high, 5)}</td>
    </>
  );
}
