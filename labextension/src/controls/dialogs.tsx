import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import React from 'react';

import { Gate } from '../state/gate';
import { IContext, Provide } from '../state/hooks';
import { FormDialog } from './form';

/** Shows a form until it is closed; what `focus` finds has the keyboard first. */
export async function openForm(
  context: Omit<IContext, 'gate'>,
  title: string,
  focus: string,
  form: (onClose: () => void) => JSX.Element
): Promise<void> {
  const gate = new Gate(context.store);
  const body = ReactWidget.create(
    <Provide context={{ ...context, gate }}>{form(() => dialog.reject())}</Provide>
  );
  const dialog = new FormDialog({
    title,
    body,
    buttons: [],
    hasClose: false,
    focusNodeSelector: focus
  });
  dialog.addClass('jp-mlops-dialog');
  await dialog.launch();
  gate.dispose();
}

/** Shows something that is read, live, until it is closed. */
export async function openView(
  context: Omit<IContext, 'gate'>,
  title: string,
  view: JSX.Element
): Promise<void> {
  const gate = new Gate(context.store);
  gate.open = true;
  const dialog = new Dialog({
    title,
    body: ReactWidget.create(<Provide context={{ ...context, gate }}>{view}</Provide>),
    buttons: [Dialog.okButton({ label: context.trans.__('Close') })]
  });
  dialog.addClass('jp-mlops-watch-dialog');
  await dialog.launch();
  gate.dispose();
}
