import { TranslationBundle } from '@jupyterlab/translation';
import React, { useState } from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { DialogForm } from '../controls/dialog-form';
import { useFetched } from '../details/fetched';
import { MlopsError } from '../request';
import { useMlops } from '../state/hooks';

/** What a service said to a try. */
export interface IHeard {
  /** The status of HTTP. */
  status: number;
  answer: unknown;
}

/** Opens the form. */
export function TryButton({ service: name }: { service: string }): JSX.Element {
  const { commands, trans } = useMlops();
  return (
    <Button
      label={trans.__('Ask %1 something', name)}
      popup="dialog"
      onClick={() => commands.execute(CommandIDs.tryService, { service: name })}
      handle="service-try"
    >
      {trans.__('try…')}
    </Button>
  );
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
  const text = typed ?? (example.value ? asText(example.value) : '');

  const send = async (): Promise<void> => {
    setHeard(null);
    setHeard(await store.api.tryService(service, parsed(text, trans)));
  };

  return (
    <DialogForm
      handle="try-dialog"
      send={send}
      isMissing={!text.trim()}
      button={{ label: trans.__('Ask'), handle: 'try-now' }}
      close={{ label: trans.__('Close'), do: onClose }}
      answer={
        heard && (
          <>
            <p>{heard.status === 200 ? trans.__('It answers:') : trans.__('It refuses:')}</p>
            <pre className="jp-mlops-prints" data-mlops="try-answer" data-status={heard.status}>
              {asText(heard.answer)}
            </pre>
          </>
        )
      }
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
    </DialogForm>
  );
}

function parsed(text: string, trans: TranslationBundle): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MlopsError('InvalidInput', trans.__('This is no JSON'), (error as Error).message);
  }
}

/** JSON as people read it: an entry of a list in a line. */
export function asText(value: unknown): string {
  if (Array.isArray(value)) {
    const lines = value.map(each => `  ${JSON.stringify(each, null, 1).replace(/\n */g, ' ')}`);
    return lines.length > 0 ? `[\n${lines.join(',\n')}\n]` : '[]';
  }
  if (typeof value !== 'object' || value === null) {
    return JSON.stringify(value);
  }
  const lines = Object.entries(value).map(
    ([key, each]) => `  ${JSON.stringify(key)}: ${asText(each).replace(/\n/g, '\n  ')}`
  );
  return `{\n${lines.join(',\n')}\n}`;
}
