import { RunState } from '../state/schema';

/** How a cluster may be named: it is written into code, so that nothing else may get there. */
const NAME = /^[a-z][-a-z0-9]{0,47}(\.[-a-z0-9]{1,63}){0,2}(~[-a-z0-9]{1,63})?$/;

/** How a run may be named, for the same reason. */
const RUN = /^[-\w]{1,64}$/;

/** The code that connects a notebook to a cluster. */
export function connectCode(cluster: string): string {
  check(cluster);
  return `%load_ext jupyter_mlops\n%mlcluster select ${cluster}`;
}

/** The code that gives a notebook a cluster as an object, and a Dask client of it. */
export function clientCode(cluster: string): string {
  check(cluster);
  return [
    'import jupyter_mlops as mlops',
    `cluster = mlops.cluster("${cluster}")`,
    'client = cluster.client()'
  ].join('\n');
}

/** Whether what a run made can be saved as a model. */
export function isSavable({ phase, kind }: RunState): boolean {
  return phase === 'done' && (kind === 'cell' || kind === 'function' || kind === 'gang');
}

/** The code that saves what a run made as a model: of a cell what it made last, which the notebook has by its name. */
export function saveCode({ id, name, kind, code }: RunState): string {
  if (!RUN.test(id)) {
    throw new Error(`${id} is no run's id`);
  }
  const made = kind === 'cell' ? madeLast(code) : `mlops.get_run("${id}")`;
  const model = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 48);
  return [
    'import jupyter_mlops as mlops',
    '',
    '# valid: rows that it was not trained on, and what is true of them',
    `mlops.save_model(${made}, "${model || 'model'}", valid=(X_valid, y_valid), run="${id}")`
  ].join('\n');
}

/** The variable that some code makes last. */
function madeLast(code: string): string {
  const names = [...code.matchAll(/^([A-Za-z_]\w*)\s*=(?!=)/gm)];
  return names.length > 0 ? names[names.length - 1][1] : 'model';
}

function check(cluster: string): void {
  if (!NAME.test(cluster)) {
    throw new Error(`${cluster} is no cluster's name`);
  }
}
