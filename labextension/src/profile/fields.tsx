import React from 'react';

interface ITextProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  hint?: string;
  handle: string;
  /** Characters that it is wide. */
  width?: number;
}

/** A labelled field. */
export function Text(props: ITextProps): JSX.Element {
  return (
    <label className="jp-mlops-field" title={props.hint}>
      <span>{props.label}</span>
      <input
        type="text"
        className="jp-mod-styled"
        value={props.value}
        placeholder={props.hint}
        style={props.width ? { width: `${props.width}ch` } : undefined}
        onChange={event => props.onChange(event.target.value)}
        data-mlops={`field-${props.handle}`}
      />
    </label>
  );
}

interface ICheckProps {
  label: string;
  value: boolean;
  onChange: (value: boolean) => void;
  hint?: string;
  handle: string;
}

/** A labelled check box. */
export function Check(props: ICheckProps): JSX.Element {
  return (
    <label className="jp-mlops-check" title={props.hint}>
      <input
        type="checkbox"
        checked={props.value}
        onChange={event => props.onChange(event.target.checked)}
        data-mlops={`field-${props.handle}`}
      />
      {props.label}
    </label>
  );
}
