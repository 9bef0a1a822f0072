import { LabIcon } from '@jupyterlab/ui-components';
import React from 'react';

interface IButtonProps {
  icon?: LabIcon;
  /** What it does: the tooltip, and what a screen reader says. */
  label: string;
  /** Words on the button; without, only the icon is seen. */
  children?: React.ReactNode;
  onClick: (event: React.MouseEvent<HTMLButtonElement>) => void;
  disabled?: boolean;
  /** The handle by which tests find it. */
  handle?: string;
  expanded?: boolean;
  /** Opens a menu or a dialog. */
  popup?: 'menu' | 'dialog';
  accent?: boolean;
}

/** A button as in Lab's toolbars: quiet until pointed at. */
export function Button(props: IButtonProps): JSX.Element {
  const { icon: Icon, label, children, handle, accent } = props;
  return (
    <button
      type="button"
      className={`jp-mlops-button${accent ? ' jp-mod-accent' : ''}`}
      title={label}
      aria-label={typeof children === 'string' ? `${children}: ${label}` : label}
      aria-expanded={props.expanded}
      aria-haspopup={props.popup}
      disabled={props.disabled}
      data-mlops={handle}
      onClick={props.onClick}
    >
      {Icon && <Icon.react tag="span" elementSize="normal" aria-hidden="true" />}
      {children !== undefined && <span>{children}</span>}
    </button>
  );
}
