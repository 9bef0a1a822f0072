"""A run's record in MLflow. Blocking, slow at first use: only for the process of `sync.py`.

What MLflow gets: tags `mlops.*` (id, kind, cluster, shape, owner, versions, notebook and cell, error), the options and
the user's parameters as params, all points of the metrics with their steps (of other ranks than the first as
`KEY/rank 1`), the cost, and the code as an artifact. Trials of a sweep are nested runs (`trials.py`).
"""

from __future__ import annotations

import logging
import os
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import home
from ..core.errors import Unreadable
from ..core.run import FINAL, Entry, RunState
from ..home.runs import RunFolder, run_folder
from . import pending
from .registered import sync_models
from .target import shows_models
from .text import BATCH, METRICS, PARAM, TAG, key_of, text_of
from .trials import NestedRuns

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "jupyter-mlops"

#: The tag by which a run is found again.
ID_TAG = "mlops.run"

_STATUS = {"done": "FINISHED", "failed": "FAILED", "cancelled": "KILLED", "lost": "KILLED"}

#: Seconds that are waited for the last points of a run whose end is told before its cluster has written them.
_LAST = 1.0


class MlflowStore:
    """One tracking server or file."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._client: MlflowClient | None = None
        self._experiment = ""

    def sync(self, run: RunState) -> None:
        """Make MLflow's run say what `run` says: it is created when MLflow lacks it, and ended when `run` is over.

        Idempotent, and safe with several processes. Raises what MLflow raises, and `StorageFull`, `Refused`.
        """
        folder = run_folder(run.id)
        with home.locked(folder.path):
            marker = pending.read(folder)
            if marker.uri != self.uri:
                marker = pending.Marker(uri=self.uri)
            if marker.ended:
                return
            client = self._opened()
            if not marker.run:
                marker.run = self._find(client, run) or self._create(client, run)
                pending.write(folder, marker)
            self._journal(client, run, folder, marker)
            if run.phase in FINAL:
                _wait_for_the_last(folder)
            nested = NestedRuns(client, self._experiment, run, folder, marker)
            if run.kind == "sweep":
                nested.bring()
            self._points(client, folder, marker, nested)
            if run.phase in FINAL:
                nested.end()
                self._end(client, run, marker.run)
                marker.ended = True
                pending.write(folder, marker)

    def sync_models(self) -> None:
        """Make MLflow's registry say of models what the home folder says, where it can; as `sync` otherwise."""
        if shows_models(self.uri):
            sync_models(self._opened(), self.uri)

    def _opened(self) -> MlflowClient:
        if self._client is None:
            # Nobody asked for it, and a notebook's machine may have no way out.
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
            from mlflow import MlflowClient

            for name in ("mlflow", "alembic"):  # they tell of each table that they make
                logging.getLogger(name).setLevel(logging.WARNING)
            with home.locked(home.home()):  # two that make the tables at once make none
                _make_tables(self.uri)
                client = MlflowClient(self.uri)
                self._experiment = _experiment(client, self.uri)
            self._client = client
        return self._client

    def _find(self, client: MlflowClient, run: RunState) -> str | None:
        found = client.search_runs([self._experiment], f"tags.`{ID_TAG}` = '{run.id}'", max_results=1)
        return found[0].info.run_id if found else None

    def _create(self, client: MlflowClient, run: RunState) -> str:
        made = client.create_run(
            self._experiment, start_time=int(run.created * 1000), tags=_tags(run), run_name=run.name or run.id
        )
        identity: str = made.info.run_id
        self._params(client, identity, {f"option.{key}": value for key, value in run.options.items()})
        if run.code:
            client.log_text(identity, run.code, "code.py")
        return identity

    def _params(self, client: MlflowClient, identity: str, params: dict[str, Any]) -> None:
        from mlflow.entities import Param

        rows = [Param(key_of(key), text_of(value)[:PARAM]) for key, value in params.items() if value is not None]
        for start in range(0, len(rows), BATCH):
            client.log_batch(identity, params=rows[start : start + BATCH])

    def _journal(self, client: MlflowClient, run: RunState, folder: RunFolder, marker: pending.Marker) -> None:
        """What a run of an earlier version logged since the last time, with its steps."""
        from mlflow.entities import Metric

        entries = iter(folder.journal(marker.journal))
        while batch := list(islice(entries, BATCH)):
            metrics = [
                Metric(key_of(entry.key), float(entry.value or 0), int(entry.time * 1000), entry.step or 0)
                for entry in batch
                if entry.kind == "metric" and _is_number(entry)
            ]
            if metrics:
                client.log_batch(marker.run, metrics=metrics)
            marker.journal = batch[-1].seq
        pending.write(folder, marker)

    def _points(self, client: MlflowClient, folder: RunFolder, marker: pending.Marker, nested: NestedRuns) -> None:
        """What the run logged since the last time."""
        from mlflow.entities import Metric

        while True:
            lines, end = folder.curves_after(marker.points)
            if end == marker.points:
                return
            by_run: dict[str, list[Metric]] = {}
            for line in lines:
                if line.seq and line.seq <= marker.copied:  # a kernel and a server have copied it, or two kernels
                    continue
                marker.copied = max(marker.copied, line.seq)
                identity, name = nested.place_of(line)
                points = zip(line.steps, line.values, line.times, strict=False)
                metrics = [Metric(key_of(name), value, int(at * 1000), step) for step, value, at in points]
                by_run.setdefault(identity, []).extend(metrics)
            for identity, metrics in by_run.items():
                for start in range(0, len(metrics), METRICS):
                    client.log_batch(identity, metrics=metrics[start : start + METRICS])
            marker.points = end
            pending.write(folder, marker)

    def _end(self, client: MlflowClient, run: RunState, identity: str) -> None:
        from mlflow.entities import Metric, RunTag

        at = int((run.ended or run.created) * 1000)
        known = client.get_run(identity).data
        self._params(client, identity, {k: v for k, v in run.params.items() if key_of(k) not in known.params})
        sums = {"mlops.items_done": run.done, "mlops.items_failed": run.failed, "mlops.busy_seconds": run.busy}
        if run.cost.amount is not None:
            sums["mlops.cost"] = run.cost.amount
            sums |= {"mlops.cost_unknown_cpu_hours": run.cost.unknown.cpu_hours} if run.cost.lacks else {}
        last = {key_of(key): value for key, value in run.metrics.items() if value is not None}
        sums |= {key: value for key, value in last.items() if key not in known.metrics}
        client.log_batch(
            identity,
            metrics=[Metric(key, float(value), at, 0) for key, value in sums.items()][:1000],
            tags=[RunTag(key, value) for key, value in _tags(run).items()],
        )
        client.set_terminated(identity, _STATUS[run.phase], at)


def _make_tables(uri: str) -> None:
    """Make a SQLite file that isn't there yet, all of it or nothing.

    MLflow makes its tables in many steps and can't go on with a file in which some are missing, so a process killed
    meanwhile would leave one in which nothing can ever be recorded.
    """
    from mlflow import MlflowClient
    from sqlalchemy.engine import make_url

    url = make_url(uri) if uri.startswith("sqlite:") else None
    if url is None or not url.database or url.database == ":memory:" or Path(url.database).exists():
        return
    unfinished = Path(f"{url.database}.unfinished")
    unfinished.unlink(missing_ok=True)
    MlflowClient(f"sqlite:///{unfinished}")
    unfinished.replace(url.database)


def _wait_for_the_last(folder: RunFolder) -> None:
    """A cluster on this machine writes a run's end after all of its points."""
    deadline = time.monotonic() + _LAST
    while time.monotonic() < deadline:
        try:
            if folder.record().phase in FINAL:
                return
        except (FileNotFoundError, Unreadable):
            return
        time.sleep(0.02)


def _experiment(client: MlflowClient, uri: str) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    ours = uri.startswith("sqlite:///") and Path(uri.removeprefix("sqlite:///")).parent == home.home()
    artifacts = (home.home() / "mlartifacts").as_uri() if ours else None
    return str(client.create_experiment(EXPERIMENT, artifact_location=artifacts))


def _tags(run: RunState) -> dict[str, str]:
    tags: dict[str, object] = {
        ID_TAG: run.id,
        "mlops.phase": run.phase,
        "mlops.kind": run.kind,
        "mlops.cluster": run.cluster,
        "mlops.cluster_id": run.cluster_id,
        "mlops.group": run.group,
        "mlops.shape": run.shape,
        "mlops.variables": run.variables,
        "mlops.versions": run.versions,
        "mlops.notebook": run.origin.notebook,
        "mlops.cell": run.origin.cell,
        "mlops.total": run.total,
        "mlops.error": run.error,
        "mlops.errors": [error.model_dump(exclude={"traceback"}) for error in run.errors[:20]],
        "mlops.currency": run.cost.currency if run.cost.amount is not None else None,
        "mlops.usage": run.cost.usage.model_dump(),
        "mlflow.user": run.owner,
        "mlflow.source.name": run.origin.notebook,
        "mlflow.source.type": "NOTEBOOK" if run.origin.notebook else None,
    }
    return {key: text_of(value)[:TAG] for key, value in tags.items() if value not in (None, "", [], {})}


def _is_number(entry: Entry) -> bool:
    return isinstance(entry.value, (int, float))
