import { addIcon, closeIcon } from '@jupyterlab/ui-components';
import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { Button } from '../controls/button';
import { IGroupDraft, NEW_GROUP, withPoint } from './draft';
import { Check, RemarkLines, Text } from './fields';
import { fieldsOfGroup, groupLabels } from './labels';

interface IGroupProps {
  group: IGroupDraft;
  /** Which of the groups it is. */
  index: number;
  trans: TranslationBundle;
  /** Whether the place has machines that may be taken away. */
  spots: boolean;
  onChange: (group: IGroupDraft) => void;
  /** Missing for the last one: a cluster has a group at least. */
  onRemove?: () => void;
}

/** What of a group is typed. */
type TextKey = Exclude<keyof IGroupDraft, 'spot' | 'adaptive' | 'options' | 'before'>;

/** A group of workers of one shape. */
export function GroupFields(props: IGroupProps): JSX.Element {
  const { group, index, trans, spots, onChange, onRemove } = props;
  const labels = groupLabels(trans);
  const text = (key: TextKey, width: number, hint?: string) => (
    <Text
      label={labels[key]}
      value={group[key]}
      width={width}
      hint={hint}
      at={`groups.${index}.${key}`}
      handle={`group-${key}`}
      understood={key === 'name' ? undefined : withPoint}
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
      {text('name', 14)}
      {text('workers', 7)}
      {text('minimum', 7)}
      {text('maximum', 7)}
      {text('cpus', 7)}
      {text('memory', 10, trans.__('with its unit: 2 GiB, 500 MB'))}
      {text('gpus', 7)}
      <Check
        label={labels.adaptive}
        hint={trans.__('The number of workers follows the work')}
        value={group.adaptive}
        handle="group-adaptive"
        onChange={adaptive => onChange({ ...group, adaptive })}
      />
      {spots && (
        <Check
          label={labels.spot}
          hint={trans.__('Cheaper machines that may be taken away')}
          value={group.spot}
          handle="group-spot"
          onChange={spot => onChange({ ...group, spot })}
        />
      )}
      {spots &&
        group.spot &&
        text('base', 7, trans.__('so many workers are on machines that aren’t taken away'))}
      {onRemove && (
        <Button icon={closeIcon} label={trans.__('Remove this group')} onClick={onRemove} />
      )}
      <RemarkLines labels={fieldsOfGroup(trans, index)} />
    </div>
  );
}

/** All groups of a profile. */
export function Groups(props: {
  trans: TranslationBundle;
  spots: boolean;
  groups: IGroupDraft[];
  onChange: (groups: IGroupDraft[]) => void;
}): JSX.Element {
  const { trans, spots, groups, onChange } = props;
  const add = (): void =>
    onChange([...groups, { ...NEW_GROUP, name: `group-${groups.length + 1}` }]);
  return (
    <fieldset>
      <legend>{trans.__('Workers')}</legend>
      {groups.map((group, index) => (
        <GroupFields
          key={index}
          trans={trans}
          spots={spots}
          group={group}
          index={index}
          onChange={changed => onChange(groups.map((old, at) => (at === index ? changed : old)))}
          onRemove={
            groups.length > 1 ? () => onChange(groups.filter((_, at) => at !== index)) : undefined
          }
        />
      ))}
      <Button
        icon={addIcon}
        label={trans.__('Add workers of another shape')}
        onClick={add}
        handle="group-add"
      >
        {trans.__('Group')}
      </Button>
    </fieldset>
  );
}
