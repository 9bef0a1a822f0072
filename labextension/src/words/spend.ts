import { TranslationBundle } from '@jupyterlab/translation';

import { SpendParts } from '../state/schema';

/** What time and money go to, in the order in which it is told. */
export const PARTS = [
  'computing',
  'waiting',
  'moving',
  'spilling',
  'booting',
  'idle',
  'leaving',
  'overhead'
] as const satisfies readonly (keyof SpendParts)[];

export type Part = (typeof PARTS)[number];

/** What a part is called. */
export function partName(trans: TranslationBundle, part: Part): string {
  return {
    computing: trans.__('computing'),
    waiting: trans.__('waiting'),
    moving: trans.__('moving data'),
    spilling: trans.__('spilling'),
    booting: trans.__('booting'),
    idle: trans.__('idle'),
    leaving: trans.__('leaving'),
    overhead: trans.__('not measured')
  }[part];
}

/** What a part is, and how that is known. */
export function partDetails(trans: TranslationBundle, part: Part): string {
  return {
    computing: trans.__(
      'Code that used a CPU. Measured: the CPU time of the code’s processes, and of Dask’s tasks.'
    ),
    waiting: trans.__(
      'Code that ran without a CPU: for files, networks, sleeps, or locks such as Python’s own. Measured: how long tasks ran, less their CPU time.'
    ),
    moving: trans.__(
      'Threads without a task, while data went to or came from other workers. Measured by Dask.'
    ),
    spilling: trans.__(
      'Data that was written to disk or read from it, since memory was short. Measured by Dask.'
    ),
    booting: trans.__('From when a worker’s resources were held until it joined. Measured.'),
    idle: trans.__('Threads without a task: the time that is left. Data may have lain there.'),
    leaving: trans.__(
      'From when a worker was to go, or lost its connection, until its resources were free. Measured.'
    ),
    overhead: trans.__(
      'What nobody measured: while the scheduler was started again, and the last seconds of workers that died.'
    )
  }[part];
}
