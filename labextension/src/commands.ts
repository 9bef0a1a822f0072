import { ReadonlyJSONObject } from '@lumino/coreutils';

/**
 * The commands, for menus, shortcuts and other extensions. Where an argument is left out, the user is asked.
 */
// eslint-disable-next-line @typescript-eslint/no-namespace -- as JupyterLab's own extensions name their commands
export namespace CommandIDs {
  /** Show the sidebar. `new: true` opens its menu of profiles. */
  export const openPanel = 'jupyter-mlops:panel-open';
  /** Start a cluster of `profile`. */
  export const startCluster = 'jupyter-mlops:cluster-start';
  /** Want `workers` workers in `group` of `cluster`. */
  export const scaleCluster = 'jupyter-mlops:cluster-scale';
  /** Let the workers of `group` of `cluster` follow the work, between `minimum` and `maximum`. */
  export const adaptCluster = 'jupyter-mlops:cluster-adapt';
  /** Give `cluster` another `budget` or `lifetime`, or `more_money` or `more_time`. */
  export const letGo = 'jupyter-mlops:cluster-let-go';
  export const limitCluster = 'jupyter-mlops:cluster-limit';
  /** Stop `cluster`, after saying what would be lost. */
  export const stopCluster = 'jupyter-mlops:cluster-stop';
  /** Remove the record of the ended `cluster`. */
  export const forgetCluster = 'jupyter-mlops:cluster-forget';
  /** Connect the current notebook to `cluster`. */
  export const useCluster = 'jupyter-mlops:cluster-use';
  /** Open the details of `cluster` in a tab; `part` names which. */
  export const openDetails = 'jupyter-mlops:cluster-details';
  /** Open Dask's dashboard of `cluster` in a tab. */
  export const openDashboard = 'jupyter-mlops:cluster-dashboard';
  /** Open the page `plot` of the dashboard of `cluster` beside what is open. */
  export const openPlot = 'jupyter-mlops:cluster-plot';
  /** Open task stream, progress and memory per worker of `cluster` beside what is open. */
  export const openPlots = 'jupyter-mlops:cluster-plots';
  /** Put the lines that connect to `cluster` into the current notebook, without running them. */
  export const insertCode = 'jupyter-mlops:cluster-insert';
  /** Open the curves of `run` in a tab. */
  export const openCurves = 'jupyter-mlops:run-curves';
  /** Open the trials of the sweep `run` in a tab. */
  export const openTrials = 'jupyter-mlops:run-trials';
  /** Cancel `run`. */
  export const cancelRun = 'jupyter-mlops:run-cancel';
  /** Run `run` again from its record. */
  export const repeatRun = 'jupyter-mlops:run-again';
  /** Save what `run` wrote as a file. */
  export const downloadRun = 'jupyter-mlops:run-download';
  /** Remove `runs` that are over from the history. */
  export const forgetRun = 'jupyter-mlops:run-forget';
  /** Go to the cell that `run` came from. */
  export const revealRun = 'jupyter-mlops:run-reveal';
  /** Go to the `cell` of a `notebook`. */
  export const revealCell = 'jupyter-mlops:cell-reveal';
  /** Put the line that saves what `run` made as a model below its cell. */
  export const saveModel = 'jupyter-mlops:run-save-model';
  /** Show `run` in the sidebar, opened. */
  export const openRun = 'jupyter-mlops:run-open';
  /** Open the details of `model` in a tab. */
  export const openModel = 'jupyter-mlops:model-open';
  /** Ask whether to make `version` the champion of `model`, saying what its gates say. */
  export const openNotebookOf = 'jupyter-mlops:model-notebook';
  export const promoteModel = 'jupyter-mlops:model-promote';
  /** Have `version` of `model` (the champion, without one) answer at a stable address. */
  export const deployModel = 'jupyter-mlops:model-deploy';
  /** Ask `service` something, in a dialog. */
  export const tryService = 'jupyter-mlops:service-try';
  /** Open the details of `service` in a tab. */
  export const openService = 'jupyter-mlops:service-open';
  /** Show how the version that `service` tries compares with the one that serves, in a dialog. */
  export const compareService = 'jupyter-mlops:service-compare';
  /** Ask what share the version that `service` tries is to get. */
  export const shareService = 'jupyter-mlops:service-share';
  /** Ask whether the version that `service` tries is to serve. */
  export const promoteService = 'jupyter-mlops:service-promote';
  /** Ask whether the notebook is to run that the model of `service` comes from. */
  export const retrainService = 'jupyter-mlops:service-retrain';
  /** Ask whether what `service` had before is to serve again. */
  export const rollBackService = 'jupyter-mlops:service-roll-back';
  /** Ask when and where the notebook at `path`, or the one that is worked with, is to run by itself. */
  export const scheduleNotebook = 'jupyter-mlops:notebook-schedule';
  /** Show what the last run of `schedule`, a notebook that runs by itself, printed. */
  export const scheduleLog = 'jupyter-mlops:schedule-log';
  /** Have `schedule` run at once. */
  export const runScheduled = 'jupyter-mlops:schedule-run';
  /** Make a profile, or change the one named `profile`; or that of `run`, with the workers that would have done for it. */
  export const editProfile = 'jupyter-mlops:profile-edit';
  /** Save what this month cost as a file: `as` csv, parquet, focus or html. */
  export const exportCosts = 'jupyter-mlops:costs-export';
  /** Open the settings. */
  export const openSettings = 'jupyter-mlops:settings-open';
}

/** A command's arguments (name → type) as JSON Schema, which Lab shows to people who write shortcuts. */
export function takes(args: Record<string, string>): { args: ReadonlyJSONObject } {
  const properties = Object.fromEntries(
    Object.entries(args).map(([name, type]) => [name, { type }])
  );
  return { args: { type: 'object', properties } };
}
