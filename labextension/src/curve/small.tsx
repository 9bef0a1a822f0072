import React, { useMemo } from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { useMlops } from '../state/hooks';
import { CurveData, RunState } from '../state/schema';
import { number, significant } from '../words/number';
import { CurveChart, marksOf } from './chart';
import { facts, mainKey, NONE, trialGroups, trialsWith } from './data';
import { useCurves } from './fetch';

/** Metrics that are drawn in the sidebar. */
const FEW = 4;
/** Points of a small curve. */
const POINTS = 200;
const LOOK = { each: false, log: false, smoothing: 0 };

/** The curve of a run that goes on, below its line in the list. */
export function LiveCurve({ run }: { run: RunState }): JSX.Element | null {
  const key = mainKey(Object.keys(run.metrics));
  return key === null ? null : <Small run={run} keys={[key]} height={28} />;
}

/**
 * The curves of a run in its details: the first few, and the way to all of them.
 *
 * @param best - of a sweep, the best trial's number.
 */
export function SmallCurves(props: { run: RunState; best?: number | null }): JSX.Element {
  const { run, best } = props;
  const { commands, trans } = useMlops();
  const keys = Object.keys(run.metrics);
  const main = mainKey(keys);
  const shown = [main!, ...keys.filter(key => key !== main)].slice(0, FEW);
  return (
    <>
      <Small run={run} keys={shown} height={56} best={best} />
      <div className="jp-mlops-actions">
        <Button
          label={trans.__('Open the curves of %1 in a tab, beside those of other runs', run.name)}
          onClick={() => commands.execute(CommandIDs.openCurves, { run: run.id })}
          handle="open-curves"
        >
          {keys.length > FEW ? trans.__('all %1 curves', keys.length) : trans.__('curves')}
        </Button>
      </div>
    </>
  );
}

function Small(props: {
  run: RunState;
  keys: readonly string[];
  height: number;
  best?: number | null;
}): JSX.Element {
  const { run, keys, height, best } = props;
  const { trans } = useMlops();
  const runs = useMemo(() => [run], [run]);
  const { curves } = useCurves(runs, POINTS);
  const own = curves.get(run.id) ?? NONE;
  const marks = useMemo(() => marksOf(trans, own, run.checkpoint), [trans, own, run.checkpoint]);
  return (
    <div className="jp-mlops-curves">
      {keys.map(key => (
        <OneCurve
          key={key}
          metric={key}
          run={run}
          curves={own.byKey.get(key)}
          best={best ?? null}
          marks={marks}
          height={height}
        />
      ))}
    </div>
  );
}

function OneCurve(props: {
  metric: string;
  run: RunState;
  curves: ReadonlyMap<string, CurveData> | undefined;
  best: number | null;
  marks: ReturnType<typeof marksOf>;
  height: number;
}): JSX.Element {
  const { metric, run, curves, best, marks, height } = props;
  const { trans } = useMlops();
  const groups = useMemo(() => {
    const all = [...(curves?.values() ?? [])];
    const trials = trialsWith(all, best === null ? [] : [best]);
    if (!trials.length) {
      return [{ name: '', curves: all }];
    }
    const strong = best === trials[0] ? best : trials[trials.length - 1];
    return trialGroups(all, [strong], trial => trans.__('trial %1', number(trial)));
  }, [curves, best, trans]);
  // Of a sweep, that of the trial that stands out.
  const [strong] = groups[groups.length - 1].curves;
  const last = strong && strong.trial !== null ? facts(strong)?.last : run.metrics[metric];
  return (
    <div className="jp-mlops-curve-row">
      <span className="jp-mlops-curve-name" title={metric}>
        {metric}
      </span>
      <CurveChart metric={metric} groups={groups} marks={marks} height={height} small {...LOOK} />
      <span className="jp-mlops-curve-last">
        {last === null || last === undefined ? trans.__('NaN') : significant(last, 4)}
      </span>
    </div>
  );
}
