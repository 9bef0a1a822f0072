import { TranslationBundle } from '@jupyterlab/translation';
import React, { useMemo, useState } from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { asProblem } from '../request';
import { Order } from '../sidebar/order';
import { Section } from '../sidebar/section';
import { useMlops, useNow, useSelector } from '../state/hooks';
import { useKept } from '../state/kept';
import { orderRuns, RUN_ORDERS } from '../state/order';
import { Problem, RunState } from '../state/schema';
import { isRunning } from '../state/state';
import { matchesRun } from '../words/match';
import { day } from '../words/time';
import { Row } from './row';

/** Runs up to which an order doesn't matter. */
const FEW = 8;
/** Runs that the server tells of unasked. */
const TOLD = 200;
/** Runs that are asked for at most. */
const MOST = 2000;

/** The runs: live ones first; those only that are `wanted`, where that isn't empty. */
export function Runs({ wanted }: { wanted: string }): JSX.Element {
  const { store, trans } = useMlops();
  const told = useSelector(state => state.runs);
  const older = useSelector(state => state.older);
  const loaded = useSelector(state => state.loaded);
  const [order, setOrder] = useKept('order-runs', RUN_ORDERS);
  const all = useMemo(() => new Map([...older, ...told]), [older, told]);
  const shown = useMemo(() => {
    const found = [...all.values()].filter(run => !wanted || matchesRun(trans, run, wanted));
    return orderRuns(found, order, store.now());
  }, [all, wanted, order, trans, store]);
  return (
    <Section
      name="runs"
      title={trans.__('Runs')}
      count={all.size}
      shown={shown.length}
      tools={
        all.size > FEW && (
          <Order
            label={trans.__('Order of the runs')}
            value={order}
            choices={RUN_ORDERS}
            onChange={setOrder}
            handle="order-runs"
          />
        )
      }
    >
      {loaded && all.size === 0 && (
        <p className="jp-mlops-hint">
          {trans.__('No run yet: begin a cell with %1 to run it on a cluster.', '%%mlrun')}
        </p>
      )}
      {all.size > 0 && shown.length === 0 && (
        <p className="jp-mlops-hint">{trans.__('No run has “%1”.', wanted)}</p>
      )}
      <Rows runs={shown} byDay={order === 'newest' && all.size > FEW} />
      <div className="jp-mlops-list-end">
        {told.size >= TOLD && older.size === 0 && <Older />}
        {wanted && <RemoveAll runs={shown.filter(run => !isRunning(run))} />}
      </div>
    </Section>
  );
}

/** The rows; `byDay`: those that are over below the day on which they began. */
function Rows({ runs, byDay }: { runs: RunState[]; byDay: boolean }): JSX.Element {
  const { trans } = useMlops();
  const now = useNow(60, byDay);
  return (
    <>
      {groups(trans, runs, byDay, now).map(({ head, runs }) => (
        <React.Fragment key={head}>
          {head && <h4 className="jp-mlops-day">{head}</h4>}
          <ul className="jp-mlops-runs">
            {runs.map(run => (
              <Row key={run.id} run={run} />
            ))}
          </ul>
        </React.Fragment>
      ))}
    </>
  );
}

function groups(
  trans: TranslationBundle,
  runs: RunState[],
  byDay: boolean,
  now: number
): { head: string; runs: RunState[] }[] {
  const found: { head: string; runs: RunState[] }[] = [];
  for (const run of runs) {
    const head = byDay && !isRunning(run) ? day(trans, run.created, now) : '';
    const last = found[found.length - 1];
    if (last && last.head === head) {
      last.runs.push(run);
    } else {
      found.push({ head, runs: [run] });
    }
  }
  return found;
}

/** Has the server tell of what is older. */
function Older(): JSX.Element {
  const { store, trans } = useMlops();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const load = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    await store.loadOlder(MOST).catch((error: unknown) => setProblem(asProblem(error)));
    setBusy(false);
  };
  return (
    <>
      <Button
        label={trans.__('Show the runs of the last weeks, too')}
        disabled={busy}
        onClick={() => void load()}
        handle="older-runs"
      >
        {busy ? trans.__('Loading…') : trans.__('Load older runs')}
      </Button>
      {problem && <ProblemLine problem={problem} />}
    </>
  );
}

/** Removes what a filter found. */
function RemoveAll({ runs }: { runs: RunState[] }): JSX.Element | null {
  const { commands, trans } = useMlops();
  if (runs.length === 0) {
    return null;
  }
  const words = trans._n('Remove this run…', 'Remove these %1 runs…', runs.length);
  return (
    <Button
      label={trans.__('Remove what is shown here from the history')}
      onClick={() => void commands.execute(CommandIDs.forgetRun, { runs: runs.map(run => run.id) })}
      handle="forget-runs"
    >
      {words}
    </Button>
  );
}
