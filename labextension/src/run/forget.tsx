import { Dialog, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { RunState } from '../state/schema';

/** Ask whether to remove runs from the history, saying what goes and what stays. */
export async function confirmForget(
  trans: TranslationBundle,
  runs: readonly RunState[]
): Promise<boolean> {
  const { button } = await showDialog({
    title:
      runs.length === 1
        ? trans.__('Remove “%1” from the history?', runs[0].name)
        : trans.__('Remove %1 runs from the history?', runs.length),
    body: (
      <div className="jp-mlops-stop-dialog" data-mlops="forget-dialog">
        <p>
          {trans.__(
            'What was kept goes: what it printed, its errors, its input, so that it can’t be run again, and the result of a detached run that nobody fetched.'
          )}
        </p>
        <p>
          {trans.__('What is recorded in MLflow stays there, and so does what its cluster cost.')}
        </p>
      </div>
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Remove') })
    ]
  });
  return button.accept;
}
