import { Dialog, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

/** Ask whether all machines are free, saying where that counts and what stays. */
export async function confirmFree(trans: TranslationBundle): Promise<boolean> {
  const { button } = await showDialog({
    title: trans.__('Is every machine free for you?'),
    body: (
      <div className="jp-mlops-stop-dialog" data-mlops="free-dialog">
        <p>
          {trans.__(
            'It counts in all places, for this machine and all Kubernetes clusters: the settings’ prices of CPUs, memory and GPUs become 0, and clouds’ price lists don’t count.'
          )}
        </p>
        <p>
          {trans.__(
            'Prices of profiles and of types of nodes stay, and so do those of clusters that run now.'
          )}
        </p>
      </div>
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.okButton({ label: trans.__('It is free') })
    ]
  });
  return button.accept;
}
