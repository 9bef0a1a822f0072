import React, { createContext, useContext } from 'react';

/** What is wrong with the fields of a form (path → words), and what its author may not have meant. */
export interface IRemarks {
  faults: ReadonlyMap<string, string>;
  doubts: ReadonlyMap<string, string>;
}

const Remarks = createContext<IRemarks>({ faults: new Map(), doubts: new Map() });

/** Gives `remarks` to the fields inside, each of which shows its own. */
export function Remarked(props: React.PropsWithChildren<{ remarks: IRemarks }>): JSX.Element {
  return <Remarks.Provider value={props.remarks}>{props.children}</Remarks.Provider>;
}

/** What every field has. */
interface IFieldProps {
  /** Where the value stands in the profile: "groups.0.memory". */
  at: string;
  handle: string;
}

/** What a control says of itself. */
interface IControl {
  'aria-invalid'?: true;
  'aria-describedby'?: string;
  'data-at': string;
  'data-mlops': string;
}

/** What the control of the value at `at` says of itself: whether it is wrong, and where that is written. */
export function useControl({ at, handle }: IFieldProps): IControl {
  const { faults, doubts } = useContext(Remarks);
  return {
    'data-at': at,
    'data-mlops': `field-${handle}`,
    ...((faults.has(at) || doubts.has(at)) && { 'aria-describedby': idOf(at) }),
    ...(faults.has(at) && { 'aria-invalid': true as const })
  };
}

/** There is one form at a time. */
function idOf(at: string): string {
  return `jp-mlops-remark-${at}`;
}

/** Below a line of fields, path → label: what there is to say of them. */
export function RemarkLines({ labels }: { labels: Record<string, string> }): JSX.Element {
  const { faults, doubts } = useContext(Remarks);
  const found = Object.keys(labels).filter(at => faults.has(at) || doubts.has(at));
  return (
    <>
      {found.map(at => (
        <div
          key={at}
          id={idOf(at)}
          className={`jp-mlops-remark${faults.has(at) ? ' jp-mod-fault' : ''}`}
          data-mlops="remark"
          data-of={at}
        >
          {labels[at]} {faults.get(at) ?? doubts.get(at)}
        </div>
      ))}
    </>
  );
}

interface ITextProps extends IFieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** What an empty field means, or how it is filled in. */
  hint?: string;
  /** Characters that it is wide. */
  width?: number;
  /** How what was typed is written where it was understood: shown when the field is left. */
  understood?: (text: string) => string;
}

/** A labelled field. */
export function Text(props: ITextProps): JSX.Element {
  const { value, onChange, understood } = props;
  const control = useControl(props);
  return (
    <label className="jp-mlops-field" title={props.hint}>
      <span>{props.label}</span>
      <input
        {...control}
        type="text"
        className="jp-mod-styled"
        value={value}
        placeholder={props.hint}
        style={props.width ? { width: `${props.width}ch` } : undefined}
        onChange={event => onChange(event.target.value)}
        onBlur={() => understood && understood(value) !== value && onChange(understood(value))}
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
