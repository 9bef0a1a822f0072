import { Token } from '@lumino/coreutils';

import { Store } from './state/store';

/**
 * The clusters and runs of this Jupyter server, live, for other extensions too: read `state`, listen to `changed`, ask
 * through `api`.
 */
export type IMlops = Store;

/** The token under which `IMlops` is provided. */
export const IMlops = new Token<IMlops>(
  'jupyter-mlops:IMlops',
  'The clusters and runs of this Jupyter server, live.'
);
