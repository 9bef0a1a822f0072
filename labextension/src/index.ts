import { core, mlops } from './plugins/core';
import { curves } from './plugins/curves';
import { dashboards } from './plugins/dashboards';
import { details } from './plugins/details';
import { models } from './plugins/models';
import { notebook } from './plugins/notebook';
import { notices } from './plugins/notices';
import { services } from './plugins/services';
import { settings } from './plugins/settings';
import { sidebar } from './plugins/sidebar';
import { sweeps } from './plugins/sweeps';

export { CommandIDs } from './commands';
export { IMlops } from './tokens';

export default [
  core,
  mlops,
  sidebar,
  details,
  curves,
  sweeps,
  models,
  services,
  dashboards,
  notebook,
  notices,
  settings
];
