/** How a cluster may be named: it is written into code, so that nothing else may get there. */
const NAME = /^[a-z][-a-z0-9]{0,47}(\.[-a-z0-9]{1,63}){0,2}(~[-a-z0-9]{1,63})?$/;

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

function check(cluster: string): void {
  if (!NAME.test(cluster)) {
    throw new Error(`${cluster} is no cluster's name`);
  }
}
