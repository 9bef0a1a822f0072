import { Dialog } from '@jupyterlab/apputils';

/**
 * A dialog around a form that has buttons of its own. Lab's would take Enter and the arrows for the dialog's buttons, of
 * which there are none, and Esc for its cross.
 */
export class FormDialog extends Dialog<unknown> {
  protected _evtKeydown(event: KeyboardEvent): void {
    if (event.key === 'Escape') {
      event.stopPropagation();
      event.preventDefault();
      this.reject();
    }
  }
}
