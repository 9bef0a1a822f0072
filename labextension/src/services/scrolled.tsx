import React, { ReactNode } from 'react';

interface IScrolledProps {
  /** What it is, for who can't see it. */
  label: string;
  children: ReactNode;
}

/** A table that may be wider than its place, and is moved by keyboard, too. */
export function Scrolled({ label, children }: IScrolledProps): JSX.Element {
  return (
    <div className="jp-mlops-watch-scroll" tabIndex={0} role="region" aria-label={label}>
      {children}
    </div>
  );
}
