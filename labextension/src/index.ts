import { details } from './plugins/details';
import { model } from './plugins/model';
import { notebook } from './plugins/notebook';
import { notices } from './plugins/notices';
import { settings } from './plugins/settings';
import { sidebar } from './plugins/sidebar';

export { CommandIDs } from './commands';
export { IMlops } from './tokens';

export default [model, sidebar, details, notebook, notices, settings];
