import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { useMlops } from '../state/hooks';
import { useKept } from '../state/kept';
import { number } from '../words/number';

interface ISectionProps {
  /** What it is: the handle by which tests find it, and under which the browser keeps whether it is open. */
  name: string;
  title: string;
  /** How many things it has. */
  count: number;
  /** How many of them are shown, where a filter leaves some out. */
  shown: number;
  /** Whether it is folded until somebody opens it. */
  folded?: boolean;
  /** What stands at the right end of its heading. */
  tools?: React.ReactNode;
  children: React.ReactNode;
}

/** A part of the sidebar, with a heading that folds it; what is in it scrolls by itself. */
export function Section(props: ISectionProps): JSX.Element {
  const { name, title, count, shown } = props;
  const { trans } = useMlops();
  const [fold, setFold] = useKept(
    `fold-${name}`,
    props.folded ? (['closed', 'open'] as const) : (['open', 'closed'] as const)
  );
  const isOpen = fold === 'open';
  const Caret = isOpen ? caretDownIcon : caretRightIcon;
  const id = `jp-mlops-${name}`;
  return (
    <section className="jp-mlops-section" aria-labelledby={id} data-fold={fold} data-mlops={name}>
      <div className="jp-mlops-section-head">
        <h3 id={id}>
          <button
            type="button"
            aria-expanded={isOpen}
            onClick={() => setFold(isOpen ? 'closed' : 'open')}
            data-mlops={`fold-${name}`}
          >
            <Caret.react tag="span" elementSize="normal" aria-hidden="true" />
            {title}
            {count > 0 && (
              <span className="jp-mlops-count" data-mlops="count">
                {shown < count ? trans.__('%1 of %2', number(shown), number(count)) : number(count)}
              </span>
            )}
          </button>
        </h3>
        {isOpen && props.tools}
      </div>
      {isOpen && (
        <div className="jp-mlops-section-body" tabIndex={-1}>
          {props.children}
        </div>
      )}
    </section>
  );
}
