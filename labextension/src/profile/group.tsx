import { closeIcon } from '@jupyterlab/ui-components';
import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { Button } from '../controls/button';
import { IGroupDraft } from './draft';
import { Check, Text } from './fields';

interface IGroupProps {
  group: IGroupDraft;
  trans: TranslationBundle;
  /** Whether the place has machines that may be taken away. */
  spots: boolean;
  onChange: (group: IGroupDraft) => void;
  /** Missing for the last one: a cluster has a group at least. */
  onRemove?: () => void;
}

/** What of a group is typed. */
type TextKey = Exclude<keyof IGroupDraft, 'spot' | 'adaptive' | 'options'>;

/** A group of workers of one shape. */
export function GroupFields({ group, trans, spots, onChange, onRemove }: IGroupProps): JSX.Element {
  const text = (key: TextKey, label: string, width: number, hint?: string) => (
    <Text
      label={label}
      value={group[key]}
      width={width}
      hint={hint}
      handle={`group-${key}`}
      onChange={value => onChange({ ...group, [key]: value })}
    />
  );
  return (
    <div
      className="jp-mlops-fields"
      role="group"
      aria-label={trans.__('Group %1', group.name)}
      data-mlops="group-fields"
    >
      {text('name', trans.__('Name'), 14)}
      {text('workers', trans.__('Workers'), 6)}
      {text('minimum', trans.__('Fewest'), 6)}
      {text('maximum', trans.__('Most'), 6)}
      {text('cpus', trans.__('CPUs each'), 6)}
      {text('memory', trans.__('Memory each'), 10, '2 GB')}
      {text('gpus', trans.__('GPUs each'), 6)}
      <Check
        label={trans.__('auto')}
        hint={trans.__('The number of workers follows the work')}
        value={group.adaptive}
        handle="group-adaptive"
        onChange={adaptive => onChange({ ...group, adaptive })}
      />
      {spots && (
        <Check
          label={trans.__('spot')}
          hint={trans.__('Cheaper machines that may be taken away')}
          value={group.spot}
          handle="group-spot"
          onChange={spot => onChange({ ...group, spot })}
        />
      )}
      {onRemove && (
        <Button icon={closeIcon} label={trans.__('Remove this group')} onClick={onRemove} />
      )}
    </div>
  );
}
