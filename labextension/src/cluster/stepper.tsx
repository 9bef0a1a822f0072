import { addIcon, LabIcon } from '@jupyterlab/ui-components';
import React, { useEffect, useState } from 'react';

import { Button } from '../controls/button';
import { useLatest, useMlops } from '../state/hooks';

const MINUS = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16">
  <path class="jp-icon3" fill="#616161" d="M19 13H5v-2h14v2z"/>
</svg>`;

const minusIcon = new LabIcon({ name: 'jupyter-mlops:minus', svgstr: MINUS });

/** Milliseconds after the last click before the number is sent: five clicks on ＋ are one request. */
const SETTLE = 450;
/** Milliseconds after which a number is given up that nobody has answered. */
const PATIENCE = 15_000;

interface IStepperProps {
  value: number;
  minimum: number;
  maximum: number;
  disabled: boolean;
  adaptive: boolean;
  /** Asks for a number. When it is done, `value` is what the cluster made of it, or what it was when that was refused. */
  onChange: (value: number) => Promise<void>;
}

/** A number that somebody asked for. It isn't the one that was asked for before it, even if they are equal. */
interface IDraft {
  readonly value: number;
}

/**
 * − n ＋. Shows the number that was asked for until the cluster has answered, so that it never jumps back while
 * somebody clicks; from then on what the cluster wants, which may be another one.
 */
export function Stepper(props: IStepperProps): JSX.Element {
  const { value, minimum, maximum, disabled } = props;
  const { trans } = useMlops();
  const [draft, setDraft] = useState<IDraft | null>(null);
  const [text, setText] = useState<string | null>(null);
  const onChange = useLatest(props.onChange);

  useEffect(() => {
    if (draft === null) {
      return;
    }
    const giveUp = (): void => setDraft(shown => (shown === draft ? null : shown));
    const send = window.setTimeout(() => {
      void onChange.current(draft.value).then(giveUp);
    }, SETTLE);
    const forget = window.setTimeout(giveUp, PATIENCE);
    return () => {
      window.clearTimeout(send);
      window.clearTimeout(forget);
    };
  }, [draft, onChange]);

  const shown = draft?.value ?? value;
  const want = (workers: number): void => {
    const within = Math.max(minimum, Math.min(maximum, workers));
    if (within !== shown) {
      setDraft({ value: within });
    }
  };
  const commit = (): void => {
    if (text !== null && /^\d+$/.test(text.trim())) {
      want(Number(text));
    }
    setText(null);
  };
  const bounds = props.adaptive
    ? trans.__('Follows the work; turn auto off to set the number')
    : trans.__('%1 to %2 workers', minimum, maximum);
  return (
    <span className="jp-mlops-stepper" data-mlops="stepper">
      <Button
        icon={minusIcon}
        label={shown > minimum ? trans.__('One worker fewer') : bounds}
        disabled={disabled || shown <= minimum}
        onClick={() => want(shown - 1)}
        handle="fewer"
      />
      <input
        type="text"
        inputMode="numeric"
        role="spinbutton"
        aria-label={trans.__('Workers wanted')}
        aria-valuenow={shown}
        aria-valuemin={minimum}
        aria-valuemax={maximum}
        title={bounds}
        value={text ?? shown}
        disabled={disabled}
        data-pending={draft !== null && draft.value !== value ? '' : undefined}
        data-mlops="wanted"
        style={{ width: `${Math.max(2, String(maximum).length) + 1}ch` }}
        onChange={event => setText(event.target.value)}
        onFocus={event => event.target.select()}
        onBlur={commit}
        onKeyDown={event => {
          const step = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
          if (event.key === 'Enter') {
            commit();
          } else if (event.key === 'Escape') {
            setText(null);
          } else if (step) {
            event.preventDefault();
            want(shown + step);
          }
        }}
      />
      <Button
        icon={addIcon}
        label={shown < maximum ? trans.__('One worker more') : bounds}
        disabled={disabled || shown >= maximum}
        onClick={() => want(shown + 1)}
        handle="more"
      />
    </span>
  );
}
