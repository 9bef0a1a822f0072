import { CommandIDs } from '../commands';
import { CurvesWidget } from '../curve/widget';
import { addRunTab } from './runtabs';
import { tabsPlugin } from './tabs';

/** The curves of runs, as tabs of the main area. */
export const curves = tabsPlugin<CurvesWidget>(
  'jupyter-mlops:curves',
  'The curves of runs, as tabs.',
  {
    namespace: 'jupyter-mlops-curves',
    type: 'ML Ops Curves',
    command: CommandIDs.openCurves,
    args: content => ({ run: content.run }),
    name: content => content.run
  },
  (context, tabs) => {
    const { trans } = context;
    addRunTab(
      context,
      tabs,
      CommandIDs.openCurves,
      {
        label: trans.__('Curves of a Run…'),
        caption: trans.__('What a run logged, step by step, beside other runs'),
        which: trans.__('The curves of which run?'),
        none: trans.__('No run has logged a metric yet'),
        of: name => trans.__('Curves of the run %1', name)
      },
      run => Object.keys(run.metrics).length > 0,
      id => new CurvesWidget(context, id)
    );
  }
);
