import { TranslationBundle } from '@jupyterlab/translation';
import React, { useMemo, useRef, useState } from 'react';

import { WastePart } from '../cluster/waste';
import { ProblemLine } from '../controls/problem';
import { useMlops, useSelector } from '../state/hooks';
import { Problem, WorkerState } from '../state/schema';
import { workerPhase } from '../words/cluster';
import { wasteWord } from '../words/waste';
import { number } from '../words/number';
import { size } from '../words/size';
import { clock } from '../words/time';
import { IPartProps } from './part';
import { IColumn, Table } from './table';

/** Every worker: what it does, what it uses, what is wrong with it. */
export function WorkersPart({ cluster, shown }: IPartProps): JSX.Element {
  const { store, trans } = useMlops();
  const workers = useSelector(state => state.workers.get(cluster.id));
  const [problem, setProblem] = useState<Problem | null>(null);
  const rows = useMemo(() => [...(workers?.values() ?? [])], [workers]);
  const openLog = useRef((name: string) => shown.show('logs', name)).current;
  const columns = useMemo(
    () => columnsOf(trans, openLog, store.now()),
    // The moment only decides whether a time is of today.
    // eslint-disable-next-line react-hooks/exhaustive-deps -- see above
    [trans, openLog]
  );
  if (rows.length === 0) {
    return (
      <p className="jp-mlops-hint">
        {cluster.phase === 'ended'
          ? trans.__('It has ended. Its logs and events are still here.')
          : workers || cluster.phase === 'starting'
            ? trans.__('No worker now.')
            : trans.__('Loading…')}
      </p>
    );
  }
  return (
    <>
      <WastePart cluster={cluster} onProblem={setProblem} />
      {problem && <ProblemLine problem={problem} onDismiss={() => setProblem(null)} />}
      <Table
        label={trans.__('Workers of %1', cluster.name)}
        rows={rows}
        columns={columns}
        name={nameOf}
      />
    </>
  );
}

function nameOf(worker: WorkerState): string {
  return worker.name;
}

/** Whether it answers to the scheduler, so that it can be measured. */
function isHere(worker: WorkerState): boolean {
  return ['idle', 'busy', 'retiring'].includes(worker.phase);
}

/** Its host and process; in a container every worker is process 1. */
function hostOf({ host, pid }: WorkerState): string {
  return pid && pid > 1 ? `${host} · ${pid}` : host;
}

const ORDER = ['lost', 'busy', 'idle', 'retiring', 'starting', 'pending', 'requested', 'ended'];

function columnsOf(
  trans: TranslationBundle,
  openLog: (name: string) => void,
  now: number
): IColumn<WorkerState>[] {
  return [
    {
      id: 'name',
      label: trans.__('Worker'),
      width: '96px',
      share: 1.6,
      by: worker => worker.name,
      show: worker => (
        <button
          type="button"
          className="jp-mlops-link"
          title={trans.__('Log of %1\n%2', worker.name, worker.address)}
          onClick={() => openLog(worker.name)}
        >
          {worker.name}
        </button>
      )
    },
    {
      id: 'phase',
      label: trans.__('State'),
      width: '72px',
      by: worker => ORDER.indexOf(worker.phase),
      show: worker => (
        <span className="jp-mlops-phase" data-kind={worker.phase}>
          {wasteWord(trans, worker.waste) || workerPhase(trans, worker.phase)}
        </span>
      )
    },
    {
      id: 'group',
      label: trans.__('Group'),
      width: '56px',
      share: 0.8,
      by: worker => worker.group,
      show: worker => worker.group
    },
    {
      id: 'cpu',
      label: trans.__('CPU'),
      width: '52px',
      numeric: true,
      by: worker => worker.cpu,
      show: worker =>
        isHere(worker) ? trans.__('%1 %', Math.round((100 * worker.cpu) / worker.threads)) : ''
    },
    {
      id: 'memory',
      label: trans.__('Memory'),
      width: '112px',
      numeric: true,
      by: worker => worker.memory_used,
      show: worker =>
        isHere(worker)
          ? `${size(worker.memory_used)} / ${size(worker.memory)}`
          : size(worker.memory)
    },
    {
      id: 'processing',
      label: trans.__('Tasks'),
      width: '48px',
      numeric: true,
      by: worker => worker.processing,
      show: worker => (isHere(worker) ? worker.processing : '')
    },
    {
      id: 'done',
      label: trans.__('Done'),
      width: '56px',
      numeric: true,
      by: worker => worker.done,
      show: worker => (isHere(worker) || worker.done ? number(worker.done) : '')
    },
    {
      id: 'since',
      label: trans.__('Since'),
      width: '112px',
      numeric: true,
      by: worker => worker.since,
      show: worker => clock(worker.since, now)
    },
    {
      id: 'problem',
      label: trans.__('What is wrong'),
      width: 'minmax(174px, 8fr)',
      optional: true,
      by: worker => worker.problem?.what ?? '',
      show: worker =>
        worker.problem && (
          <span title={[worker.problem.why, worker.problem.todo].filter(Boolean).join('\n')}>
            {worker.problem.what}
          </span>
        )
    },
    {
      id: 'host',
      label: trans.__('Host'),
      width: '64px',
      share: 1,
      by: worker => hostOf(worker),
      show: worker => hostOf(worker)
    }
  ];
}
