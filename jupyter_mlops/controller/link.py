"""The caller's side of the controller: one open connection to a cluster.

Callers: the server (one link per listed cluster), the kernel and the command line (one per command). The wire is
msgpack over Dask's comms; the names of the handlers are in `rpc.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from ..core.base import Seconds, Time
from ..core.cluster import ClusterState, Event, Sample, WorkerState
from ..core.curve import MOST_POINTS, CurveLine, CurvesView
from ..core.extend import LimitChange
from ..core.ladder import Ladder
from ..core.run import Entry, RunState
from ..core.stack import PythonStack
from ..core.sweep import TrialReport

#: The header that each request to Dask's dashboard, websockets too, must carry the key in.
DASHBOARD_KEY_HEADER = "X-Jupyter-MLOps-Key"


@dataclass(frozen=True)
class ClusterView:
    """A cluster's state and what changed since the `seq` that was asked from.

    `workers` are those that changed (all of them, when `whole`), `gone` those to drop; `events` are new ones;
    `runs` are those that changed. `seq` is to be handed in the next time. A `seq` that is unknown to the controller
    (it restarted) gives a whole view.
    """

    seq: int
    state: ClusterState
    workers: list[WorkerState] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    runs: list[RunState] = field(default_factory=list)
    whole: bool = False


@dataclass(frozen=True)
class RunView:
    """A run's state and its journal's new lines. `seq` is to be handed in the next time."""

    seq: int
    run: RunState
    entries: list[Entry] = field(default_factory=list)
    #: Of a sweep.
    reports: list[TrialReport] = field(default_factory=list)


class Link(Protocol):
    """What can be asked of a cluster's controller.

    Every method raises `ClusterUnreachable` when the scheduler doesn't answer, and the named `MlopsError` that the
    controller raised otherwise.
    """

    async def view(self, workers: bool = True) -> ClusterView:
        """The whole view now; without `workers` only the state, events and runs."""

    async def watch(self, since: int, timeout: Seconds = 20.0, workers: bool = False) -> ClusterView:
        """The view as soon as something changed after `since`, at most `timeout` seconds later.

        At most four views a second: what changes in between is told together.
        """

    async def timeline(self, since: Time = 0) -> list[Sample]:
        """The whole timeline after `since`: every 5 s for an hour, every minute before that."""

    async def scale(self, workers: int, group: str | None = None, now: bool = False) -> None:
        """Want `workers` workers in `group` (the first one), by hand: adaptive scaling of it ends.

        Returns when it is accepted. `now` lets go of workers without waiting for what they run. Raises `OutOfRange`,
        `UnknownGroup`, `ClusterEnded`.
        """

    async def let_go(self, workers: int, group: str | None = None) -> list[str]:
        """Let go of workers of `group` (the first one) that have long been idle, at most `workers` of them and never
        below its minimum; the names of those that go. Data that they hold moves to others first.

        Raises `Conflict` where there is none any more, `UnknownGroup`, `ClusterEnded`, and `VersionMismatch` where its
        controller is older than this.
        """

    async def adapt(self, minimum: int, maximum: int, group: str | None = None) -> None:
        """Let the number of workers of `group` follow the work, between these bounds, which must lie within the
        profile's. Raises as `scale`."""

    async def limit(self, change: LimitChange) -> None:
        """Give it other limits: more money or time, or less. Returns when they count and what was held back by the old
        ones goes on.

        Raises `OutOfRange` for what it is past already, `InvalidSpec`, `ClusterEnded`, and `VersionMismatch` where its
        controller is older than this.
        """

    async def stop(self, cause: str = "user", why: str = "") -> None:
        """End the cluster: its workers, its scheduler. Returns when it is accepted; a no-op when it is stopping."""

    async def logs(self, worker: str | None = None, lines: int = 200) -> list[str]:
        """The last lines of a worker's log, dead or alive, or of the scheduler's. Raises `UnknownWorker`."""

    async def dashboard(self) -> tuple[str, int, str]:
        """Host and port of Dask's dashboard, started on first use, and the key that its requests must carry in the
        header `DASHBOARD_KEY_HEADER`."""

    async def ready_for_runs(self) -> None:
        """Bring what runs need to a cluster that was not made by us; a no-op on ours. Call it before `open_run`.

        Raises `VersionMismatch`, and `Unavailable` where that is not possible.
        """

    async def open_run(self, run: RunState, client: str = "") -> RunState:
        """Make a run known before its tasks are sent; the answer has the cluster's shape. Raises `ClusterEnded`.

        `client`: the id of the Dask client that will send them. A run of which not all was sent ends with its client.
        """

    async def plan_run(self, run: str, total: int | None, keys: list[str] | None = None) -> None:
        """Say how many items the run has and, for a detached run, the keys of all of its tasks: with the last of
        them the run is over."""

    async def close_run(self, run: str, phase: str, error: str = "") -> RunState:
        """Say how an attached run ended; the answer has its final cost."""

    async def cancel_run(self, run: str, why: str = "") -> None:
        """Stop the run's code on all workers and forget its tasks. A no-op when it is over. Raises `UnknownRun`."""

    async def watch_run(self, run: str, since: int, timeout: Seconds = 20.0) -> RunView:
        """The run as soon as its journal or state changed after `since`. Raises `UnknownRun`."""

    async def prune_trials(self, run: str, trials: list[int]) -> None:
        """Have these trials of a sweep end when they report next. A no-op for those that are over. Raises as
        `run_curves`."""

    async def forget_trials(self, run: str, trials: list[int]) -> None:
        """Have the checkpoints of these trials of a sweep removed. Raises as `run_curves`."""

    async def note_best(self, run: str, value: float, params: dict[str, Any]) -> None:
        """Say which trial of a sweep is the best one so far: its value and arguments. Raises as `run_curves`."""

    async def try_sizes(self, run: str) -> None:
        """Ask who drives a map to try sizes with it. Raises `UnknownRun`, `Conflict` for a run that can't, and
        `VersionMismatch` where its controller is older than this."""

    async def note_ladder(self, run: str, ladder: Ladder) -> None:
        """Say how far a map is with trying sizes, and what that says. Raises as `run_curves`."""

    async def run_parts(self, run: str) -> dict[str, int]:
        """The tasks of a detached run whose results are in the workers' memory, to be had from Dask: key → bytes,
        about. Raises `UnknownRun`."""

    async def run_curves(self, run: str, since: int = 0, most: int = MOST_POINTS) -> CurvesView:
        """The curves of a run's metrics that changed after `since`, of at most `most` points each. Raises `UnknownRun`,
        and `ClusterUnreachable` where the controller is of a version that has none."""

    async def run_points(self, run: str, since: int = 0) -> tuple[int, list[CurveLine]]:
        """The points that came after the line of the number `since`, to be copied, and the number of the last line:
        all of them to who asks every few seconds, else those that are drawn. Raises as `run_curves`."""

    async def run_stacks(self, run: str) -> list[PythonStack]:
        """Where the code of a run is at this moment: the Python stack of each of its processes. Raises as
        `run_curves`."""

    async def close(self) -> None:
        """Close the connection. The cluster lives on."""
