import React, { useEffect, useRef } from 'react';

interface ILogProps {
  label: string;
  className: string;
  handle: string;
  /** What is new whenever there is more to see. */
  seen: unknown;
  children: React.ReactNode;
}

/** Pixels from the end that still are the end. */
const NEAR = 8;

/** Text that grows: its end stays in sight, unless somebody has scrolled up. */
export function Log(props: ILogProps): JSX.Element {
  const element = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (atEnd.current) {
      element.current!.scrollTop = element.current!.scrollHeight;
    }
  }, [props.seen]);
  return (
    <pre
      ref={element}
      className={props.className}
      tabIndex={0}
      aria-label={props.label}
      data-mlops={props.handle}
      onScroll={event => {
        const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
        atEnd.current = scrollHeight - scrollTop - clientHeight < NEAR;
      }}
    >
      {props.children}
    </pre>
  );
}
