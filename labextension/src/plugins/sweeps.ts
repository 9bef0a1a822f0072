import { CommandIDs } from '../commands';
import { SweepWidget } from '../sweep/widget';
import { addRunTab } from './runtabs';
import { tabsPlugin } from './tabs';

/** The trials of sweeps, as tabs of the main area. */
export const sweeps = tabsPlugin<SweepWidget>(
  'jupyter-mlops:sweeps',
  'The trials of sweeps, as tabs.',
  {
    namespace: 'jupyter-mlops-sweeps',
    type: 'ML Ops Sweeps',
    command: CommandIDs.openTrials,
    args: content => ({ run: content.run }),
    name: content => content.run
  },
  (context, tabs) => {
    const { trans } = context;
    addRunTab(
      context,
      tabs,
      CommandIDs.openTrials,
      {
        label: trans.__('Trials of a Sweep…'),
        caption: trans.__('What a sweep tried, as lines and as a table'),
        which: trans.__('The trials of which sweep?'),
        none: trans.__('No sweep yet'),
        of: name => trans.__('Trials of the sweep %1', name)
      },
      run => run.kind === 'sweep',
      id => new SweepWidget(context, id)
    );
  }
);
