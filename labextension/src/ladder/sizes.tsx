import React, { useState } from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { asProblem } from '../request';
import { useMlops, useSelector } from '../state/hooks';
import { Choice, Ladder, Problem, RunState } from '../state/schema';
import { isRunning } from '../state/state';
import { aim, means } from '../words/ladder';
import { LadderChart } from './chart';

/** What a map's first items said of other numbers of workers; or a way to ask for that, while it runs. */
export function Sizes({ run }: { run: RunState }): JSX.Element | null {
  const { store, trans } = useMlops();
  const [problem, setProblem] = useState<Problem | null>(null);
  const attempt = async (what: Promise<unknown>): Promise<void> => {
    try {
      await what;
      setProblem(null);
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  const { ladder } = run;
  const asks = ladder === null && run.phase === 'running' && !run.detached && run.total !== null;
  if (ladder === null && !asks) {
    return null;
  }
  return (
    <div
      className="jp-mlops-ladder"
      role="group"
      aria-label={trans.__('Sizes')}
      data-mlops="ladder"
    >
      {asks && (
        <div className="jp-mlops-actions">
          <Button
            label={trans.__(
              'Do its next items on other numbers of workers, and see which one is cheapest, or fastest. Nothing is computed twice'
            )}
            onClick={() => attempt(store.api.trySizes(run.id))}
            handle="try-sizes"
          >
            {trans.__('try sizes')}
          </Button>
        </div>
      )}
      {ladder && (
        <>
          {ladder.rungs.length > 0 && <LadderChart ladder={ladder} />}
          <p role="status" data-mlops="ladder-says">
            {`${ladder.sentence.charAt(0).toUpperCase()}${ladder.sentence.slice(1)}.`}
          </p>
          {isRunning(run) && ladder.phase === 'done' && (
            <Choices run={run} ladder={ladder} onChoose={attempt} />
          )}
        </>
      )}
      {problem && <ProblemLine problem={problem} onDismiss={() => setProblem(null)} />}
    </div>
  );
}

/** The numbers to go on with: a click is all it takes, also after one was chosen. */
function Choices(props: {
  run: RunState;
  ladder: Ladder;
  onChoose: (what: Promise<unknown>) => Promise<void>;
}): JSX.Element {
  const { run, ladder, onChoose } = props;
  const { commands, trans } = useMlops();
  const cluster = run.cluster_id || run.cluster;
  const wanted = useSelector(
    state =>
      state.clusters.get(cluster)?.groups.find(group => group.name === ladder.group)?.wanted ?? null
  );
  const choose = (choice: Choice): Promise<void> =>
    onChoose(
      commands.execute(CommandIDs.scaleCluster, {
        cluster,
        group: ladder.group,
        workers: choice.workers
      })
    );
  // One that is best for several things is one choice.
  const sizes = [...new Set(ladder.choices.map(choice => choice.workers))].map(workers =>
    ladder.choices.filter(choice => choice.workers === workers)
  );
  return (
    <div className="jp-mlops-ladder-choices" role="group" aria-label={trans.__('Go on with')}>
      {sizes.map(([choice, ...same]) => (
        <Button
          key={choice.workers}
          label={
            choice.workers === wanted
              ? trans.__('It goes on with this number of workers')
              : trans.__('Go on with this number of workers')
          }
          disabled={choice.workers === wanted}
          onClick={() => choose(choice)}
          handle={`choose-${choice.workers}`}
        >
          {trans.__(
            '%1: %2, %3',
            [choice, ...same].map(each => aim(trans, each.aim)).join(', '),
            trans._n('%1 worker', '%1 workers', choice.workers),
            means(trans, ladder, choice)
          )}
        </Button>
      ))}
    </div>
  );
}
