import React, { useState } from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { asProblem } from '../request';
import { useMlops } from '../state/hooks';
import { ClusterState, Problem, Waste } from '../state/schema';
import { number } from '../words/number';
import { waste, wasteDetails } from '../words/waste';
import { may } from './others';

interface IWasteProps {
  cluster: ClusterState;
  onProblem: (problem: Problem | null) => void;
}

/** The workers that cost money and do nothing, with a button for those that can go. */
export function WastePart({ cluster, onProblem }: IWasteProps): JSX.Element | null {
  const { trans } = useMlops();
  if (cluster.waste.length === 0 || cluster.phase !== 'running') {
    return null;
  }
  return (
    <ul className="jp-mlops-waste" aria-label={trans.__('Workers that do nothing')}>
      {cluster.waste.map(value => (
        <li key={`${value.kind} ${value.group}`} data-mlops="waste" data-kind={value.kind}>
          <span title={wasteDetails(trans, value)}>
            {waste(trans, value, cluster.groups.length > 1)}
          </span>
          {value.spare > 0 && may(cluster, 'let_go') && (
            <LetGo cluster={cluster} value={value} onProblem={onProblem} />
          )}
        </li>
      ))}
    </ul>
  );
}

/** "Let 7 go". */
function LetGo({ cluster, value, onProblem }: IWasteProps & { value: Waste }): JSX.Element {
  const { commands, trans } = useMlops();
  const [busy, setBusy] = useState(false);
  const letGo = async (): Promise<void> => {
    setBusy(true);
    onProblem(null);
    try {
      const { group, spare: workers } = value;
      await commands.execute(CommandIDs.letGo, { cluster: cluster.id, group, workers });
    } catch (error) {
      onProblem(asProblem(error));
    }
    setBusy(false);
  };
  return (
    <Button
      label={trans._n(
        'Let %2 idle worker of %3 go',
        'Let %2 idle workers of %3 go',
        value.spare,
        number(value.spare),
        cluster.name
      )}
      disabled={busy}
      onClick={letGo}
      handle="let-go"
    >
      {trans.__('Let %1 go', number(value.spare))}
    </Button>
  );
}
