import { PageConfig } from '@jupyterlab/coreutils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { INotebookTracker, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { CommandRegistry } from '@lumino/commands';

import { Origin } from '../state/schema';

/** What a cluster's name may be: it is written into code, so that nothing else may get there. */
const NAME = /^[a-z]([-a-z0-9]{0,46}[a-z0-9])?$/;

/** The code that connects a notebook to a cluster. */
export function connectCode(cluster: string): string {
  if (!NAME.test(cluster)) {
    throw new Error(`${cluster} is no cluster's name`);
  }
  return `%load_ext jupyter_mlops\n%mlcluster select ${cluster}`;
}

/**
 * Run the code that connects to a cluster in the current notebook, or in a new one: in the active cell when that is
 * empty, else in a new cell above it. Done when the kernel has the code, which it may run only after others.
 */
export async function connectNotebook(
  commands: CommandRegistry,
  tracker: INotebookTracker,
  cluster: string
): Promise<void> {
  const code = connectCode(cluster);
  const panel = tracker.currentWidget ?? (await newNotebook(commands));
  if (!panel) {
    return;
  }
  await panel.context.ready;
  await panel.revealed;
  await panel.sessionContext.ready;
  const { content } = panel;
  const cell = content.activeCell;
  const isFree = cell?.model.type === 'code' && !cell.model.sharedModel.getSource().trim();
  if (!isFree) {
    NotebookActions.insertAbove(content);
  }
  content.activeCell!.model.sharedModel.setSource(code);
  void NotebookActions.runAndAdvance(content, panel.sessionContext);
}

async function newNotebook(commands: CommandRegistry): Promise<NotebookPanel | null> {
  return (await commands.execute('notebook:create-new', { activate: true })) ?? null;
}

/**
 * Open the notebook that a run came from and scroll to its cell.
 *
 * @returns false when the notebook has no such cell any more.
 */
export async function revealCell(documents: IDocumentManager, origin: Origin): Promise<boolean> {
  const panel = documents.openOrReveal(localPath(origin.notebook)) as NotebookPanel | undefined;
  if (!panel) {
    return false;
  }
  await panel.context.ready;
  await panel.revealed;
  const { content } = panel;
  const index = content.widgets.findIndex(cell => cell.model.id === origin.cell);
  if (index < 0) {
    return false;
  }
  content.deselectAll();
  content.activeCellIndex = index;
  await content.scrollToCell(content.widgets[index]);
  return true;
}

/** A kernel knows its notebook by the path on the disk; documents are opened by the path below the server's root. */
export function localPath(path: string): string {
  const root = PageConfig.getOption('serverRoot').replace(/\/$/, '');
  return root && path.startsWith(`${root}/`)
    ? path.slice(root.length + 1)
    : path.replace(/^\//, '');
}
