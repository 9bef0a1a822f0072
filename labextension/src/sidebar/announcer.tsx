import { TranslationBundle } from '@jupyterlab/translation';
import React, { useEffect, useState } from 'react';

import { useMlops } from '../state/hooks';
import { IState, isRunning, problemsOf } from '../state/state';
import { Store } from '../state/store';
import { ended, phase } from '../words/cluster';
import { runPhase } from '../words/run';

/** Tells people who can't see the cards what became of clusters and runs. */
export function Announcer(): JSX.Element {
  const { store, trans } = useMlops();
  const [words, setWords] = useState('');
  useEffect(() => {
    const listen = (store: Store, before: IState): void => {
      const news = announce(trans, before, store.state);
      if (news.length > 0) {
        setWords(news.join('. '));
      }
    };
    store.changed.connect(listen);
    return () => void store.changed.disconnect(listen);
  }, [store, trans]);
  return (
    <div className="jp-mlops-hidden" role="status" aria-live="polite" data-mlops="announcer">
      {words}
    </div>
  );
}

/** What is worth saying about the step from one state to the next. */
export function announce(trans: TranslationBundle, before: IState, after: IState): string[] {
  if (!before.loaded) {
    return [];
  }
  const news: string[] = [];
  const wasSilent = new Set(before.silent.map(silent => silent.place));
  for (const silent of after.silent) {
    if (!wasSilent.delete(silent.place)) {
      news.push(silent.problem.what);
    }
  }
  for (const name of wasSilent) {
    news.push(trans.__('%1 answers again', after.places.get(name)?.title ?? name));
  }
  if (before.clusters !== after.clusters) {
    for (const [id, cluster] of after.clusters) {
      const old = before.clusters.get(id);
      if (old?.phase !== cluster.phase) {
        const word =
          cluster.phase === 'ended' ? ended(trans, cluster.cause) : phase(trans, cluster.phase);
        news.push(trans.__('Cluster %1: %2', cluster.name, word));
      }
      const known = old ? problemsOf(old).map(problem => problem.what) : [];
      for (const { what } of problemsOf(cluster)) {
        if (!known.includes(what)) {
          news.push(trans.__('Cluster %1: %2', cluster.name, what));
        }
      }
    }
  }
  if (before.runs !== after.runs) {
    for (const [id, run] of after.runs) {
      const old = before.runs.get(id);
      if (old?.phase !== run.phase && (!old || isRunning(old))) {
        news.push(trans.__('Run %1: %2', run.name, runPhase(trans, run.phase)));
      }
    }
  }
  return news;
}
