"""The records of runs: one folder per run, whatever its cluster, in the home folder's `runs/`.

Callers: the server, the kernel, the command line. All functions read files, and so belong on a thread where there is
an event loop.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from ..core import naming
from ..core.cluster import ClusterState
from ..core.errors import Conflict, UnknownRun, Unreadable
from ..core.naming import ClusterName
from ..core.run import FINAL, RunState
from ..home.runs import read_run, read_runs, removed_runs, run_folder, run_folders

_log = logging.getLogger(__name__)


@dataclass
class Records:
    """All records, each read again only when its file changed."""

    _known: dict[str, tuple[tuple[int, int], RunState]] = field(default_factory=dict)

    def changed(self) -> list[RunState]:
        """Runs whose record is new or has changed since the last call, oldest first; of one whose record can't be read
        the `problem` says so."""
        found = []
        there = set()
        for folder in run_folders():
            stamp = folder.stamp()
            if stamp is None:
                continue
            there.add(folder.run)
            if self._known.get(folder.run, (None,))[0] == stamp:
                continue
            try:
                state = folder.record()
            except FileNotFoundError:
                continue
            except Unreadable as fault:
                _log.warning("A run's record is passed over: %s", fault)
                state = folder.row(fault)
            self._known[folder.run] = (stamp, state)
            found.append(state)
        for run in set(self._known) - there:
            del self._known[run]
        return sorted(found, key=lambda state: state.created)

    def all(self) -> list[RunState]:
        """All runs, newest first; without reading anything."""
        states = (state for _, state in self._known.values())
        return sorted(states, key=lambda state: state.created, reverse=True)


def runs(limit: int | None = None, cluster: str | None = None) -> list[RunState]:
    """The newest runs of one cluster, as `core.naming` understands it, or of all; newest first."""
    return [run for run in read_runs() if cluster is None or ClusterName.of(cluster).means(run.ran_on)][:limit]


def get(run: str) -> RunState:
    """The run of that id, or whose id begins so when that is one only.

    Raises
    ------
    UnknownRun : there is none.
    Unreadable : its record can't be read.
    """
    try:
        return read_run(run)
    except UnknownRun:
        begun = [folder.run for folder in run_folders() if run and folder.run.startswith(run) and folder.run != run]
        if len(begun) == 1:
            return read_run(begun[0])
        raise


def lost(run: RunState, clusters: Collection[ClusterState]) -> RunState | None:
    """`run` as a lost one, when nothing is left that could run it: its record says that the run lives, while its
    cluster has ended or isn't among these `clusters`, which are all there are. None when the run isn't lost.

    Raises
    ------
    AmbiguousName : its record, which an older version wrote, may mean several clusters.
    """
    if run.phase in FINAL:
        return None
    cluster = naming.find(run.ran_on, clusters)
    if cluster is not None and cluster.phase != "ended":
        return None
    asked = ClusterName.of(run.ran_on)
    if cluster is None and any(state.unreadable and state.name == asked.name for state in clusters):
        return None  # that may be the one: who it is can't be read
    if cluster is not None and cluster.created > run.created:
        cluster = None  # another one of the same name
    ended = (cluster.ended if cluster is not None else None) or time.time()
    cause = f" ({cluster.cause})" if cluster is not None and cluster.cause else ""
    return run.model_copy(
        update={"phase": "lost", "ended": ended, "left": None, "error": run.error or f"The cluster ended{cause}"}
    )


def is_repeatable(run: str) -> bool:
    """Whether the input of that run was kept."""
    return run_folder(run).payload.exists()


def forget(*runs: RunState) -> None:
    """Remove all that was kept of runs that are over; what MLflow has of them stays there. It removes all or none.

    Raises
    ------
    Conflict : one isn't over, or nobody can say whether it is.
    Refused : its folder isn't ours to remove.
    """
    for run in runs:
        if run.problem is not None:
            raise Conflict(
                f"The run {run.id} can't be removed",
                "its record can't be read, so that it may still run",
                f"{run.problem.todo} Or remove its folder, {run_folder(run.id).path}.".strip(),
            )
        if run.phase not in FINAL:
            raise Conflict(f"The run {run.name!r} can't be removed", f"it is {run.phase}", "Cancel it first.")
    for run in runs:
        run_folder(run.id).remove()


def forgotten() -> set[str]:
    """The ids of the runs that were removed, by whatever window: others may still hear of them."""
    return removed_runs()


def save(run: RunState) -> None:
    """Replace the record of a run whose cluster can't do it any more.

    Raises
    ------
    StorageFull, Refused : it can't be written.
    """
    run_folder(run.id).write_record(run)
