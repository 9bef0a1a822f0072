import { TranslationBundle } from '@jupyterlab/translation';
import React, { useMemo, useState } from 'react';

import { ProblemLine } from '../controls/problem';
import { useFollow, useMlops, useSelector } from '../state/hooks';
import { RunState } from '../state/schema';
import { newest } from '../state/state';
import { number } from '../words/number';
import { runPhase } from '../words/run';
import { clock } from '../words/time';
import { CurveChart, ILook, marksOf } from './chart';
import { IGroup, mainKey, NONE } from './data';
import { useCurves } from './fetch';
import { NumberCells } from './numbers';
import { TrialNumbers, useLooked } from './trials';

/** Points of a curve, runs that are offered for comparison, and those that are drawn. */
const POINTS = 800;
const OFFERED = 20;
const COMPARED = 5;
const HEIGHT = 320;

/** The curves of a run, and those of other runs on the same axes. */
export function CurvesView({ run: id }: { run: string }): JSX.Element {
  const { trans } = useMlops();
  const run = useSelector(state => state.runs.get(id) ?? state.older.get(id));
  const loaded = useSelector(state => state.loaded);
  useFollow('run', id);
  return run ? (
    <Known run={run} />
  ) : (
    <p className="jp-mlops-hint">
      {loaded ? trans.__('There is no such run any more.') : trans.__('Connecting…')}
    </p>
  );
}

function Known({ run }: { run: RunState }): JSX.Element {
  const { trans } = useMlops();
  const told = useSelector(state => state.runs);
  const older = useSelector(state => state.older);
  const [ticked, setTicked] = useState<readonly string[]>([]);
  const [key, setKey] = useState<string | null>(null);
  const [look, setLook] = useState<ILook>({ each: false, log: false, smoothing: 0 });
  const runs = useMemo(
    () => [run, ...ticked.flatMap(each => told.get(each) ?? older.get(each) ?? [])],
    [run, ticked, told, older]
  );
  const { curves, problem } = useCurves(runs, POINTS);
  const keys = useMemo(
    () => [...new Set(runs.flatMap(each => [...(curves.get(each.id)?.byKey.keys() ?? [])]))],
    [runs, curves]
  );
  const shown = key !== null && keys.includes(key) ? key : mainKey(keys);
  const own = curves.get(run.id) ?? NONE;
  const trials = useLooked(run, own, shown);
  const groups = useMemo(() => {
    const others = groupsOf(trans, runs, curves, shown);
    return trials.groups ? [...trials.groups, ...others.slice(1)] : others;
  }, [trans, runs, curves, shown, trials.groups]);
  const marks = useMemo(
    () => (ticked.length ? [] : marksOf(trans, own, run.checkpoint)),
    [trans, ticked, own, run.checkpoint]
  );
  const several = groups.some(group => group.curves.length > 1 && !group.faint);
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
          <Controls
            keys={keys}
            shown={shown}
            onKey={setKey}
            look={look}
            onLook={setLook}
            each={!trials.groups || several}
          />
          <CurveChart metric={shown} groups={groups} marks={marks} height={HEIGHT} {...look} />
          {own.leftOut > 0 && (
            <p className="jp-mlops-hint">
              {trans.__('%1 more curves are not drawn; MLflow has them.', number(own.leftOut))}
            </p>
          )}
          {trials.groups ? (
            <TrialNumbers metric={shown} {...trials} />
          ) : (
            <Numbers metric={shown} groups={groups} />
          )}
        </>
      )}
      <Comparable run={run} ticked={ticked} onTick={setTicked} />
    </div>
  );
}

/** The other runs that can be drawn on the same axes. */
function Comparable(props: {
  run: RunState;
  ticked: readonly string[];
  onTick: (ticked: readonly string[]) => void;
}): JSX.Element | null {
  const { store, trans } = useMlops();
  const { run, ticked, onTick } = props;
  const told = useSelector(state => state.runs);
  const others = useMemo(
    () =>
      comparable(
        newest(told.values(), each => each.id),
        run
      ),
    [told, run]
  );
  if (others.length === 0) {
    return null;
  }
  return (
    <fieldset className="jp-mlops-compare" data-mlops="compare">
      <legend>{trans.__('Compare with')}</legend>
      {others.map(other => (
        <label key={other.id} title={other.id}>
          <input
            type="checkbox"
            checked={ticked.includes(other.id)}
            disabled={!ticked.includes(other.id) && ticked.length >= COMPARED}
            onChange={event =>
              onTick(
                event.target.checked
                  ? [...ticked, other.id]
                  : ticked.filter(each => each !== other.id)
              )
            }
          />{' '}
          {other.name} <span className="jp-mlops-faint">{clock(other.created, store.now())}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** The runs that have a metric in common with this one, the newest first. */
function comparable(runs: readonly RunState[], run: RunState): RunState[] {
  const mine = Object.keys(run.metrics);
  return runs
    .filter(other => other.id !== run.id && mine.some(key => key in other.metrics))
    .slice(0, OFFERED);
}

/** The lines by run; runs of the same name are told apart by their ids. */
function groupsOf(
  trans: TranslationBundle,
  runs: readonly RunState[],
  curves: ReturnType<typeof useCurves>['curves'],
  key: string | null
): IGroup[] {
  return runs.flatMap(run => {
    const own = [
      ...(curves
        .get(run.id)
        ?.byKey.get(key ?? '')
        ?.values() ?? [])
    ];
    const twin = runs.some(other => other.id !== run.id && other.name === run.name);
    const name = twin ? `${run.name} ${run.id.slice(0, 4)}` : run.name;
    const trials = new Set(own.flatMap(curve => curve.trial ?? [])).size;
    const whose = trials > 1 ? trans.__('%1, mean of %2 trials', name, number(trials)) : name;
    return own.length ? [{ name: whose, curves: own }] : [];
  });
}

function Controls(props: {
  keys: readonly string[];
  shown: string;
  onKey: (key: string) => void;
  look: ILook;
  onLook: (look: ILook) => void;
  /** Whether there are bands that lines can take the place of. */
  each: boolean;
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
      {props.each && (
        <label>
          <input
            type="checkbox"
            checked={look.each}
            onChange={event => onLook({ ...look, each: event.target.checked })}
            data-mlops="curve-each"
          />{' '}
          {trans.__('a line for each rank')}
        </label>
      )}
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
            <tr key={`${name} ${curve.trial ?? ''} ${curve.rank}`}>
              <th scope="row">
                {curve.trial === null
                  ? name
                  : `${name}, ${trans.__('trial %1', number(curve.trial))}`}
              </th>
              <td>{number(curve.rank)}</td>
              <NumberCells curve={curve} />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
