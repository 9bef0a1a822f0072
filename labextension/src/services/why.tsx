import React from 'react';

import { useMlops } from '../state/hooks';

interface IWhyProps {
  value: string;
  onChange: (why: string) => void;
  /** How tests find it. */
  handle: string;
}

/** A reason, which the trail keeps. */
export function Why({ value, onChange, handle }: IWhyProps): JSX.Element {
  const { trans } = useMlops();
  return (
    <label className="jp-mlops-field">
      <span>{trans.__('Why, for the trail; may be left out')}</span>
      <input
        type="text"
        className="jp-mod-styled"
        value={value}
        maxLength={5000}
        onChange={event => onChange(event.target.value)}
        data-mlops={handle}
      />
    </label>
  );
}
