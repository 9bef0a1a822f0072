import { LabIcon } from '@jupyterlab/ui-components';
import React, { useEffect, useRef, useState } from 'react';

interface IButtonProps {
  icon?: LabIcon;
  /** What it does: the tooltip, and what a screen reader says. */
  label: string;
  /** Words on the button; without, only the icon is seen. */
  children?: React.ReactNode;
  /** What takes a while is returned: until it is done, more clicks do nothing. */
  onClick: (event: React.MouseEvent<HTMLButtonElement>) => void | Promise<unknown>;
  disabled?: boolean;
  /** What it asked for is under way. */
  busy?: boolean;
  /** The handle by which tests find it. */
  handle?: string;
  expanded?: boolean;
  /** Opens a menu or a dialog. */
  popup?: 'menu' | 'dialog';
  accent?: boolean;
}

/** Milliseconds that it is busy at least, so that a double click is one. */
const DOUBLE_CLICK = 400;

/** A button as in Lab's toolbars: quiet until pointed at. */
export function Button(props: IButtonProps): JSX.Element {
  const { icon: Icon, label, children, handle, accent } = props;
  const [isBusy, onClick] = useOneAtATime(props.onClick);
  const busy = isBusy || (props.busy ?? false);
  return (
    <button
      type="button"
      className={`jp-mlops-button${accent ? ' jp-mod-accent' : ''}`}
      title={label}
      aria-label={typeof children === 'string' ? `${children}: ${label}` : label}
      aria-expanded={props.expanded}
      aria-haspopup={props.popup}
      // Not `disabled`, which would take the keyboard away from it.
      aria-disabled={busy || undefined}
      aria-busy={busy || undefined}
      disabled={props.disabled}
      data-mlops={handle}
      onClick={event => busy || onClick(event)}
    >
      {Icon && <Icon.react tag="span" elementSize="normal" aria-hidden="true" />}
      {children !== undefined && <span>{children}</span>}
    </button>
  );
}

/** `onClick`, which does nothing while what it returned at last is under way; and whether it is. */
function useOneAtATime(
  onClick: IButtonProps['onClick']
): [boolean, (event: React.MouseEvent<HTMLButtonElement>) => void] {
  const [isBusy, setBusy] = useState(false);
  const isAtIt = useRef(false);
  const isShown = useRef(true);
  useEffect(() => {
    isShown.current = true;
    return () => void (isShown.current = false);
  }, []);
  const click = async (event: React.MouseEvent<HTMLButtonElement>): Promise<void> => {
    const task = isAtIt.current ? undefined : onClick(event);
    if (task === undefined) {
      return;
    }
    isAtIt.current = true;
    setBusy(true);
    const passed = new Promise(resolve => window.setTimeout(resolve, DOUBLE_CLICK));
    await Promise.allSettled([task, passed]);
    isAtIt.current = false;
    if (isShown.current) {
      setBusy(false);
    }
  };
  return [isBusy, event => void click(event)];
}
