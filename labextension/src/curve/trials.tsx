import React, { useMemo, useState } from 'react';

import { useMlops } from '../state/hooks';
import { CurveData, RunState, Trial } from '../state/schema';
import { useSweep } from '../sweep/details';
import { number, significant } from '../words/number';
import { settingsOf, trialPhase } from '../words/sweep';
import { ICurves, IGroup, strongest, trialGroups, trialsWith } from './data';
import { NumberCells } from './numbers';

/** Trials that can be looked at together, and those that are listed. */
const MOST_LOOKED = 8;
const MOST_LISTED = 200;

/** The curves of a sweep's trials, and which of them are looked at. */
interface ILooked {
  /** Null where no trial has the metric. */
  groups: IGroup[] | null;
  curves: readonly CurveData[];
  /** Those that have the metric, the best ones first. */
  trials: readonly number[];
  looked: readonly number[];
  known: ReadonlyMap<number, Trial>;
  /** What the sweep looks for. */
  value: string;
  onLook: (looked: readonly number[]) => void;
}

/** The trials of a sweep that are looked at: those that somebody has ticked, else all of few, else the best ones. */
export function useLooked(run: RunState, own: ICurves, key: string | null): ILooked {
  const { trans } = useMlops();
  const { sweep, ordered } = useSweep(run);
  const [picked, setPicked] = useState<readonly number[] | null>(null);
  const curves = useMemo(() => [...(own.byKey.get(key ?? '')?.values() ?? [])], [own, key]);
  const trials = useMemo(
    () =>
      trialsWith(
        curves,
        ordered.map(trial => trial.number)
      ),
    [curves, ordered]
  );
  const looked = useMemo(
    () => picked?.filter(trial => trials.includes(trial)) ?? strongest(trials),
    [picked, trials]
  );
  const groups = useMemo(
    () =>
      trials.length
        ? trialGroups(curves, looked, trial => trans.__('trial %1', number(trial)))
        : null,
    [curves, trials, looked, trans]
  );
  const known = useMemo(() => new Map(ordered.map(trial => [trial.number, trial])), [ordered]);
  const value = sweep?.metric ?? trans.__('Value');
  return { groups, curves, trials, looked, known, value, onLook: setPicked };
}

/** The trials as a table, the best ones first: what is ticked is drawn before the others. */
export function TrialNumbers(props: ILooked & { metric: string }): JSX.Element {
  const { metric, curves, trials, looked, known, value, onLook } = props;
  const { trans } = useMlops();
  const first = new Map([...curves].reverse().map(curve => [curve.trial, curve]));
  const rest = trials.length - looked.length;
  return (
    <>
      {rest > 0 && (
        <p className="jp-mlops-hint" data-mlops="curve-rest">
          {trans._n(
            'The other trial is faint; what is ticked stands out.',
            'The other %2 trials are faint; what is ticked stands out.',
            rest,
            number(rest)
          )}
        </p>
      )}
      <div className="jp-mlops-curve-numbers jp-mod-trials">
        <table aria-label={trans.__('%1 in numbers', metric)} data-mlops="curve-numbers">
          <thead>
            <tr>
              <th scope="col">{trans.__('Trial')}</th>
              <th scope="col">{value}</th>
              <th scope="col">{trans.__('Step')}</th>
              <th scope="col">{trans.__('Last')}</th>
              <th scope="col">{trans.__('Smallest')}</th>
              <th scope="col">{trans.__('Largest')}</th>
            </tr>
          </thead>
          <tbody>
            {trials.slice(0, MOST_LISTED).map(trial => (
              <tr key={trial}>
                <th scope="row">
                  <label title={tooltip(known.get(trial))}>
                    <input
                      type="checkbox"
                      checked={looked.includes(trial)}
                      disabled={!looked.includes(trial) && looked.length >= MOST_LOOKED}
                      onChange={event =>
                        onLook(
                          event.target.checked
                            ? [...looked, trial]
                            : looked.filter(each => each !== trial)
                        )
                      }
                    />
                    {trans.__('trial %1', number(trial))}
                  </label>
                </th>
                <ValueCell trial={known.get(trial)} />
                <NumberCells curve={first.get(trial)!} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {trials.length > MOST_LISTED && (
        <p className="jp-mlops-hint">
          {trans.__('and %1 more trials', number(trials.length - MOST_LISTED))}
        </p>
      )}
    </>
  );
}

function ValueCell({ trial }: { trial: Trial | undefined }): JSX.Element {
  const { trans } = useMlops();
  if (!trial) {
    return <td />;
  }
  const value = trial.value === null ? '' : significant(trial.value, 5);
  const state = trial.phase === 'done' ? '' : trialPhase(trans, trial.phase);
  return <td>{[value, state].filter(Boolean).join(', ')}</td>;
}

function tooltip(trial: Trial | undefined): string | undefined {
  return trial && settingsOf(trial);
}
