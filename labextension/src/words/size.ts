import { TranslationBundle } from '@jupyterlab/translation';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** An amount of memory in decimal units, as prices count it: "1.6 GB". */
export function size(bytes: number): string {
  let power = 0;
  let amount = Math.max(0, bytes);
  while (amount >= 999.5 && power < UNITS.length - 1) {
    amount /= 1000;
    power += 1;
  }
  const digits = power > 2 && amount < 99.95 ? 1 : 0;
  return `${amount.toFixed(digits)} ${UNITS[power]}`;
}

/** A shape of workers in words: "1 CPU and 1.6 GB". */
export function shape(
  trans: TranslationBundle,
  group: { cpus: number; memory: number; gpus: number }
): string {
  const cpus = trans._n('%1 CPU', '%1 CPUs', group.cpus);
  return group.gpus
    ? trans.__('%1, %2 and %3', cpus, size(group.memory), trans._n('%1 GPU', '%1 GPUs', group.gpus))
    : trans.__('%1 and %2', cpus, size(group.memory));
}
