import { PageConfig } from '@jupyterlab/coreutils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { INotebookTracker, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { CommandRegistry } from '@lumino/commands';

import { Origin } from '../state/schema';
import { connectCode } from './code';

/**
 * Run the code that connects to a cluster in the current notebook, or in a new one. Done when the kernel has the code,
 * which it may run only after others.
 */
export async function connectNotebook(
  commands: CommandRegistry,
  tracker: INotebookTracker,
  cluster: string
): Promise<void> {
  const panel = await insertCode(commands, tracker, connectCode(cluster));
  if (panel) {
    void NotebookActions.runAndAdvance(panel.content, panel.sessionContext);
  }
}

/**
 * Put code into the current notebook, or into a new one: into the active cell when that is empty, else into a new cell
 * above it.
 *
 * @returns the notebook, whose active cell has the code; null when there is none.
 */
export async function insertCode(
  commands: CommandRegistry,
  tracker: INotebookTracker,
  code: string
): Promise<NotebookPanel | null> {
  const panel = tracker.currentWidget ?? (await newNotebook(commands));
  if (!panel) {
    return null;
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
  return panel;
}

/** Put code into a new cell below the one that a run came from; where that is gone, as `insertCode`. */
export async function insertBelow(
  commands: CommandRegistry,
  tracker: INotebookTracker,
  documents: IDocumentManager,
  origin: Origin,
  code: string
): Promise<void> {
  const isThere = origin.notebook !== '' && (await revealCell(documents, origin));
  const content = tracker.currentWidget?.content;
  if (!isThere || !content) {
    await insertCode(commands, tracker, code);
    return;
  }
  NotebookActions.insertBelow(content);
  content.activeCell!.model.sharedModel.setSource(code);
  await content.scrollToCell(content.activeCell!);
}

async function newNotebook(commands: CommandRegistry): Promise<NotebookPanel | null> {
  return (await commands.execute('notebook:create-new', { activate: true })) ?? null;
}

/**
 * Open the notebook that a run came from and scroll to its cell.
 *
 * @returns false when the notebook has no such cell any more.
 */
export async function revealCell(
  documents: IDocumentManager,
  origin: Pick<Origin, 'notebook' | 'cell'>
): Promise<boolean> {
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

/**
 * A kernel knows its notebook by the path on the disk; documents are opened by the path below the server's root. Where
 * that lies in the user's home folder, Jupyter's server calls it "~/…".
 */
export function localPath(path: string): string {
  const root = `${PageConfig.getOption('serverRoot').replace(/\/$/, '')}/`;
  const inHome = root.startsWith('~/') && root.length > 2 ? path.indexOf(root.slice(1)) : -1;
  if (inHome >= 0) {
    return path.slice(inHome + root.length - 1);
  }
  return root !== '/' && path.startsWith(root) ? path.slice(root.length) : path.replace(/^\//, '');
}
