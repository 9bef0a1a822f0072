"""The trials of a sweep in MLflow: each is a run nested in the sweep's, with its settings, what it logged, and what
came of it. So MLflow's own table and charts compare them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.curve import CurveLine
from ..core.run import RunState
from ..core.sweep import Trial
from ..home.runs import RunFolder
from . import pending
from .text import BATCH, PARAM, TAG, key_of, text_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Trials that have a run of their own. What further ones log is the sweep's, as `KEY/trial 1000`.
MOST = 1000

#: The tags by which the run of a trial is found again: of which sweep it is, and its number.
_SWEEP_TAG, _TRIAL_TAG = "mlops.sweep", "mlops.trial"

_STATUS = {"done": "FINISHED", "failed": "FAILED"}

#: Trials after whose runs the marker is written, at the latest: making it says of a thousand where each is.
_SOME = 20


class NestedRuns:
    """The runs of a sweep's trials.

    Parameters
    ----------
    client, experiment : of MLflow.
    run : the sweep; its own run is the marker's.
    folder : the sweep's.
    marker : says what is in MLflow already; it is written to the folder as more is.
    """

    def __init__(
        self, client: MlflowClient, experiment: str, run: RunState, folder: RunFolder, marker: pending.Marker
    ) -> None:
        self._client, self._experiment = client, experiment
        self._run, self._folder, self._marker = run, folder, marker
        self._looked = False
        self._value = str(run.options.get("metric") or "value")

    def bring(self) -> None:
        """What became of trials since the last time."""
        more = True
        while more:
            trials, end, more = self._folder.trials_after(self._marker.trials)
            mine = [trial for trial in trials if trial.number < MOST and not self._is_of_earlier(trial)]
            for position, trial in enumerate(mine, 1):
                self._bring(trial)
                if position % _SOME == 0:
                    pending.write(self._folder, self._marker)
            self._marker.trials = end
            pending.write(self._folder, self._marker)

    def end(self) -> None:
        """The sweep is over: who drove it may have been killed before it could say so of its trials."""
        for trial in self._folder.trials():
            if trial.phase == "running" and str(trial.number) in self._marker.nested:
                self._bring(trial.model_copy(update={"phase": "stopped", "ended": self._run.ended}))

    def place_of(self, line: CurveLine) -> tuple[str, str]:
        """The MLflow run and the name of the metric that the points of a line belong to."""
        name = line.key if line.rank == 0 else f"{line.key}/rank {line.rank}"
        if line.trial is None:
            return self._marker.run, name
        if line.trial >= MOST:
            return self._marker.run, f"{name}/trial {line.trial}"
        return self._identity(line.trial, line.times[0] if line.times else self._run.created), name

    def _is_of_earlier(self, trial: Trial) -> bool:
        """Whether an earlier run of the sweep has tried it: it is nested there."""
        return trial.ended is not None and trial.ended < self._run.created

    def _bring(self, trial: Trial) -> None:
        from mlflow.entities import Metric, Param, RunTag

        identity = self._identity(trial.number, trial.began)
        params = [Param(key_of(name), text_of(value)[:PARAM]) for name, value in trial.params.items()]
        if trial.phase == "running":
            self._client.log_batch(identity, params=params[:BATCH])
            return
        at = int((trial.ended or trial.began) * 1000)
        known = {self._value: trial.value, **trial.metrics}
        metrics = [Metric(key_of(name), value, at, 0) for name, value in known.items() if value is not None]
        tags = {"mlops.phase": trial.phase, "mlops.error": trial.error[:TAG]}
        self._client.log_batch(
            identity,
            metrics=metrics,
            params=params[:BATCH],
            tags=[RunTag(name, text) for name, text in tags.items() if text],
        )
        self._client.set_terminated(identity, _STATUS.get(trial.phase, "KILLED"), at)

    def _identity(self, number: int, began: float) -> str:
        """The MLflow run of a trial, which is made when there is none."""
        if not self._looked:
            self._look()
        known = self._marker.nested.get(str(number))
        if known is None:
            tags = {_SWEEP_TAG: self._run.id, _TRIAL_TAG: str(number), "mlflow.parentRunId": self._marker.run}
            name = f"{self._run.name or self._run.id} trial {number}"
            owner = {"mlflow.user": self._run.owner} if self._run.owner else {}
            made = self._client.create_run(
                self._experiment, start_time=int(began * 1000), tags=tags | owner, run_name=name
            )
            known = self._marker.nested[str(number)] = made.info.run_id
        return known

    def _look(self) -> None:
        """Find those that were made before the marker could say so."""
        self._looked = True
        found = self._client.search_runs(
            [self._experiment], f"tags.`{_SWEEP_TAG}` = '{self._run.id}'", max_results=MOST
        )
        self._marker.nested |= {each.data.tags[_TRIAL_TAG]: each.info.run_id for each in found}
