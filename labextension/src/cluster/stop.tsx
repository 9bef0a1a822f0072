import { Dialog, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { ClusterState, RunState } from '../state/schema';
import { isRunning, IState } from '../state/state';
import { number } from '../words/number';
import { size } from '../words/size';
import { remains, warning } from './others';

/** Memory of a worker without data, in bytes: what lies below it isn't worth a warning. */
const IDLE_MEMORY = 300e6;

/** Ask whether to stop a cluster, saying what would be lost. */
export async function confirmStop(
  trans: TranslationBundle,
  cluster: ClusterState,
  state: IState
): Promise<boolean> {
  const losses = lossesOf(trans, cluster, state);
  const body = (
    <div className="jp-mlops-stop-dialog" data-mlops="stop-dialog">
      {warning(trans, cluster) && (
        <p data-mlops="others-warning">
          <strong>{warning(trans, cluster)}</strong>
        </p>
      )}
      {losses.length > 0 ? (
        <>
          <p>{trans.__('What would be lost:')}</p>
          <ul>
            {losses.map(loss => (
              <li key={loss}>{loss}</li>
            ))}
          </ul>
        </>
      ) : (
        <p>{trans.__('Nothing is running on it.')}</p>
      )}
      <p>{remains(trans, cluster)}</p>
      {cluster.phase === 'unreachable' && (
        <p>{trans.__('It doesn’t answer, so its processes are ended by force.')}</p>
      )}
    </div>
  );
  const { button } = await showDialog({
    title: trans.__('Stop %1?', cluster.name),
    body,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Stop') })
    ]
  });
  return button.accept;
}

/** What ends with a cluster, in words. */
export function lossesOf(trans: TranslationBundle, cluster: ClusterState, state: IState): string[] {
  const runs = [...state.runs.values()].filter(
    run => run.cluster_id === cluster.id && isRunning(run)
  );
  const losses = runs.map(run => runLoss(trans, run));
  const { queued, processing } = cluster.work;
  if (runs.length === 0 && queued + processing > 0) {
    losses.push(
      trans._n('%1 task that runs or waits', '%1 tasks that run or wait', queued + processing)
    );
  }
  const { counts } = cluster;
  const data = cluster.memory_used - IDLE_MEMORY * (counts.idle + counts.busy + counts.retiring);
  if (data > 0) {
    losses.push(trans.__('about %1 of data in its workers’ memory', size(data)));
  }
  return losses;
}

function runLoss(trans: TranslationBundle, run: RunState): string {
  const done = number(run.done);
  return run.total
    ? trans.__('the run “%1”: %2 of %3 done', run.name, done, number(run.total))
    : trans.__('the run “%1”: %2 done', run.name, done);
}
