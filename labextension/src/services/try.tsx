import React, { useState } from 'react';

import { ProblemLine } from '../controls/problem';
import { useFetched } from '../details/fetched';
import { asProblem } from '../request';
import { useMlops } from '../state/hooks';
import { Problem } from '../state/schema';

/** What a service said to a try. */
export interface IHeard {
  /** The status of HTTP. */
  status: number;
  answer: unknown;
}

/** A request that can be changed, filled with the version's example, and what the service answers to it. */
export function TryForm({
  service,
  onClose
}: {
  service: string;
  onClose: () => void;
}): JSX.Element {
  const { store, trans } = useMlops();
  const example = useFetched(service, () => store.api.serviceExample(service));
  const [typed, setTyped] = useState<string | null>(null);
  const [heard, setHeard] = useState<IHeard | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const text = typed ?? (example.value ? asText(example.value) : '');
  const isEmpty = !text.trim();

  const send = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      setHeard(await store.api.tryService(service, JSON.parse(text)));
    } catch (error) {
      setHeard(null);
      setProblem(
        error instanceof SyntaxError
          ? { what: trans.__('This is no JSON'), why: error.message, todo: '' }
          : asProblem(error)
      );
    }
    setBusy(false);
  };

  return (
    <form
      className="jp-mlops-promote"
      onSubmit={event => {
        event.preventDefault();
        if (!isBusy && !isEmpty) {
          void send();
        }
      }}
      data-mlops="try-dialog"
    >
      <label className="jp-mlops-field">
        <span>{trans.__('Rows, as callers send them')}</span>
        <textarea
          className="jp-mod-styled jp-mlops-try"
          rows={8}
          spellCheck={false}
          value={text}
          onChange={event => setTyped(event.target.value)}
          data-mlops="try-rows"
        />
      </label>
      <div role="status">
        {heard && (
          <>
            <p>{heard.status === 200 ? trans.__('It answers:') : trans.__('It refuses:')}</p>
            <pre className="jp-mlops-prints" data-mlops="try-answer" data-status={heard.status}>
              {asText(heard.answer)}
            </pre>
          </>
        )}
        {problem && <ProblemLine problem={problem} />}
      </div>
      <div className="jp-Dialog-footer">
        <span className="jp-Dialog-spacer" />
        <button
          type="button"
          className="jp-Dialog-button jp-mod-reject jp-mod-styled"
          onClick={onClose}
        >
          {trans.__('Close')}
        </button>
        <button
          type="submit"
          className="jp-Dialog-button jp-mod-styled jp-mod-accept"
          aria-disabled={isBusy || isEmpty || undefined}
          aria-busy={isBusy || undefined}
          data-mlops="try-now"
        >
          {trans.__('Ask')}
        </button>
      </div>
    </form>
  );
}

function asText(value: unknown): string {
  return JSON.stringify(value, null, 1);
}
