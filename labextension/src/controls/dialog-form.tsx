import React, { useState } from 'react';

import { asProblem } from '../request';
import { Problem } from '../state/schema';
import { ProblemLine } from './problem';

interface IDialogFormProps {
  /** How tests find it. */
  handle: string;
  /** What its button does; what it throws is shown. */
  send: () => Promise<void>;
  /** Whether something lacks that has to be filled in. */
  isMissing: boolean;
  /** What the button is called, how tests find it, and whether it does what one should think twice about. */
  button: { label: string; handle: string; warns?: boolean };
  /** What the other button is called, and what it does. */
  close: { label: string; do: () => void };
  /** What came of it, and what is told while it is under way. */
  answer?: React.ReactNode;
  busy?: string;
  children: React.ReactNode;
}

/** A form in a dialog, which stays open until it is closed: one request at a time, and what is wrong with it below. */
export function DialogForm(props: IDialogFormProps): JSX.Element {
  const { handle, send, isMissing, button, close, answer, busy, children } = props;
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);

  const submit = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      await send();
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy(false);
  };

  return (
    <form
      className="jp-mlops-dialog-form"
      onSubmit={event => {
        event.preventDefault();
        if (!isBusy && !isMissing) {
          void submit();
        }
      }}
      data-mlops={handle}
    >
      {children}
      <div role="status">
        {isBusy && busy}
        {answer}
        {problem && <ProblemLine problem={problem} />}
      </div>
      <div className="jp-Dialog-footer">
        <span className="jp-Dialog-spacer" />
        <button
          type="button"
          className="jp-Dialog-button jp-mod-reject jp-mod-styled"
          onClick={close.do}
        >
          {close.label}
        </button>
        <button
          type="submit"
          className={`jp-Dialog-button jp-mod-styled ${button.warns ? 'jp-mod-warn' : 'jp-mod-accept'}`}
          aria-disabled={isBusy || isMissing || undefined}
          aria-busy={isBusy || undefined}
          data-mlops={button.handle}
        >
          {button.label}
        </button>
      </div>
    </form>
  );
}
