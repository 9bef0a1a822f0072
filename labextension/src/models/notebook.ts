import { Contents } from '@jupyterlab/services';

import { INotebookCopy } from '../api';

/**
 * Write a copy of a notebook beside the one that it is of, and never over a file.
 *
 * @returns where it lies.
 */
export async function writeCopy(
  contents: Pick<Contents.IManager, 'get' | 'save'>,
  { name, folder, notebook }: INotebookCopy
): Promise<string> {
  const path = await freePath(contents, folder ? `${folder}/${name}` : name);
  await contents.save(path, { type: 'notebook', format: 'json', content: notebook });
  return path;
}

async function freePath(contents: Pick<Contents.IManager, 'get'>, path: string): Promise<string> {
  const stem = path.replace(/\.ipynb$/, '');
  for (let number = 1; ; number++) {
    const wanted = number === 1 ? path : `${stem} (${number}).ipynb`;
    try {
      await contents.get(wanted, { content: false });
    } catch (error) {
      if ((error as { response?: Response }).response?.status === 404) {
        return wanted;
      }
      throw error;
    }
  }
}
