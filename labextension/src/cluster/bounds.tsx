import React, { useState } from 'react';

import { useMlops } from '../state/hooks';

interface IBoundsProps {
  minimum: number;
  maximum: number;
  disabled: boolean;
  onChange: (minimum: number, maximum: number) => void;
}

/** The bounds between which a group follows its work, to be typed over. */
export function Bounds(props: IBoundsProps): JSX.Element {
  const { minimum, maximum, onChange } = props;
  const { trans } = useMlops();
  return (
    <span className="jp-mlops-bounds">
      <Bound
        {...props}
        label={trans.__('Fewest workers')}
        value={minimum}
        handle="minimum"
        onCommit={value => onChange(value, Math.max(value, maximum))}
      />
      –
      <Bound
        {...props}
        label={trans.__('Most workers')}
        value={maximum}
        handle="maximum"
        onCommit={value => onChange(Math.min(minimum, value), value)}
      />
    </span>
  );
}

function Bound(props: {
  label: string;
  value: number;
  disabled: boolean;
  handle: string;
  onCommit: (value: number) => void;
}): JSX.Element {
  const [text, setText] = useState<string | null>(null);
  const commit = (): void => {
    if (text !== null && /^\d+$/.test(text.trim()) && Number(text) !== props.value) {
      props.onCommit(Number(text));
    }
    setText(null);
  };
  return (
    <input
      type="text"
      inputMode="numeric"
      aria-label={props.label}
      title={props.label}
      value={text ?? props.value}
      disabled={props.disabled}
      data-mlops={props.handle}
      style={{ width: `${Math.max(2, String(props.value).length) + 0.5}ch` }}
      onChange={event => setText(event.target.value)}
      onFocus={event => event.target.select()}
      onBlur={commit}
      onKeyDown={event => {
        if (event.key === 'Enter') {
          commit();
        } else if (event.key === 'Escape') {
          setText(null);
        }
      }}
    />
  );
}
