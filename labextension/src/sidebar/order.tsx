import React from 'react';

import { useMlops } from '../state/hooks';
import { ClusterOrder, RunOrder } from '../state/order';
import { order } from '../words/order';

interface IOrderProps<T> {
  label: string;
  value: T;
  choices: readonly T[];
  onChange: (value: T) => void;
  handle: string;
}

/** Chooses the order of a list. */
export function Order<T extends ClusterOrder | RunOrder>(props: IOrderProps<T>): JSX.Element {
  const { trans } = useMlops();
  return (
    <select
      className="jp-mlops-order"
      aria-label={props.label}
      title={props.label}
      value={props.value}
      onChange={event => props.onChange(event.target.value as T)}
      data-mlops={props.handle}
    >
      {props.choices.map(choice => (
        <option key={choice} value={choice}>
          {order(trans, choice)}
        </option>
      ))}
    </select>
  );
}
