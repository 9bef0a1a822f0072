import React, { memo, useState } from 'react';

import { CommandIDs } from '../commands';
import { asProblem } from '../request';
import { useMlops } from '../state/hooks';
import { GroupState, Problem } from '../state/schema';
import { shape } from '../words/size';
import { Bounds } from './bounds';
import { Stepper } from './stepper';

interface IScaleProps {
  cluster: string;
  group: GroupState;
  /** Whether the group's name has to be said. */
  named: boolean;
  /** Whether it can be asked to follow its work. */
  adapts: boolean;
  disabled: boolean;
  onProblem: (problem: Problem | null) => void;
}

/** How many workers a group has: a number that a person sets, or bounds between which it follows the work. */
export const Scale = memo(function Scale(props: IScaleProps): JSX.Element {
  const { cluster, group, named, adapts, disabled, onProblem } = props;
  const { commands, trans } = useMlops();
  const [busy, setBusy] = useState(false);

  const execute = async (command: string, args: Record<string, unknown>): Promise<void> => {
    onProblem(null);
    try {
      await commands.execute(command, { cluster, group: group.name, ...args } as never);
    } catch (error) {
      onProblem(asProblem(error));
    }
  };
  const toggle = async (): Promise<void> => {
    setBusy(true);
    const { wanted, minimum, maximum } = group;
    await (group.adaptive
      ? execute(CommandIDs.scaleCluster, { workers: wanted })
      : execute(CommandIDs.adaptCluster, { minimum, maximum }));
    setBusy(false);
  };

  return (
    <div
      className="jp-mlops-scale"
      role="group"
      aria-label={trans.__('Workers of group %1', group.name)}
      data-mlops="scale"
      data-group={group.name}
    >
      {named && (
        <span className="jp-mlops-scale-name" title={`${group.name}: ${shape(trans, group)}`}>
          {group.name}
        </span>
      )}
      <Stepper
        value={group.wanted}
        minimum={group.minimum}
        maximum={group.maximum}
        disabled={disabled || (adapts && group.adaptive)}
        adaptive={group.adaptive}
        onChange={workers => execute(CommandIDs.scaleCluster, { workers })}
      />
      {adapts ? (
        <span className="jp-mlops-adaptive">
          <label
            className="jp-mlops-auto"
            title={trans.__('Let the number of workers follow the work, between these bounds')}
          >
            <input
              type="checkbox"
              role="switch"
              checked={group.adaptive}
              disabled={disabled || busy}
              onChange={() => void toggle()}
              data-mlops="auto"
            />
            {trans.__('auto')}
            {!group.adaptive && ` ${group.minimum}–${group.maximum}`}
          </label>
          {group.adaptive && (
            <Bounds
              minimum={group.minimum}
              maximum={group.maximum}
              disabled={disabled || busy}
              onChange={(minimum, maximum) =>
                void execute(CommandIDs.adaptCluster, { minimum, maximum })
              }
            />
          )}
        </span>
      ) : (
        group.adaptive && (
          <span
            className="jp-mlops-adaptive"
            title={trans.__('A number that you set here ends that')}
            data-mlops="autoscaled"
          >
            {trans.__('scaled by its own autoscaler, %1–%2', group.minimum, group.maximum)}
          </span>
        )
      )}
    </div>
  );
});
