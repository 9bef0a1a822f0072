import { InputDialog, Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { asProblem } from './request';

/**
 * Let the user choose one of `values` by the words that `show` gives them.
 *
 * @returns null when there is none, or when the user changed their mind.
 */
export async function choose<T>(
  trans: TranslationBundle,
  title: string,
  values: readonly T[],
  show: (value: T) => string,
  none: string
): Promise<T | null> {
  if (values.length === 0) {
    Notification.info(none, { autoClose: 4000 });
    return null;
  }
  const items = values.map(show);
  const { value, button } = await InputDialog.getItem({
    title,
    items,
    okLabel: trans.__('Choose'),
    cancelLabel: trans.__('Cancel')
  });
  return button.accept && value !== null ? values[items.indexOf(value)] : null;
}

/** Show what failed, where no view is there to show it. */
export async function report(task: Promise<unknown>): Promise<void> {
  try {
    await task;
  } catch (error) {
    const { what, why, todo } = asProblem(error);
    const words = [what, why, todo].filter(Boolean);
    Notification.error(words.join('\n\n'), { autoClose: false });
  }
}
