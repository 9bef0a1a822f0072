"""A worker, by the name that the controller gave it, and what there is to be told of one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ...core.base import Time
from ...core.cluster import Problem, WorkerPhase
from ...core.idle import WasteKind

if TYPE_CHECKING:
    from distributed.scheduler import WorkerState as DaskWorker


@dataclass(eq=False)
class WorkerEntry:
    """A worker, by the name that the controller gave it. `row` is what watchers are told."""

    name: str
    group: str
    phase: WorkerPhase
    since: Time
    address: str = ""
    host: str = ""
    #: CPUs, bytes and GPUs that are set aside for it, where that isn't what its group says.
    shape: tuple[float, float, float] | None = None
    pid: int | None = None
    threads: int = 1
    memory: float = 0
    cpu: float = 0
    memory_used: float = 0
    processing: int = 0
    done: int = 0
    problem: Problem | None = None
    #: That it costs money and does nothing.
    waste: WasteKind | None = None
    #: Of a spot group: whether it is made on demand; None while its place has not made it.
    on_demand: bool | None = None
    #: Whether it is lost since its spot machine was taken away.
    taken: bool = False
    #: Whether it is given up since its connection is gone, and its place doesn't say why.
    unheard: bool = False
    #: Whether the controller, or somebody through Dask, wants it to go; and whether that is for another to take its
    #: place, which it keeps until it is gone.
    expected: bool = False
    replaced: bool = False
    #: How many workers had ever joined when it was to be replaced and had to stay for its data.
    stayed: int | None = None
    #: Whether its resources are held, and whether they ever were.
    held: bool = False
    was_held: bool = False
    #: Whether Dask alone knows it.
    foreign: bool = False
    #: When its connection went; and the same while the place has not said why.
    left: Time | None = None
    silent_since: Time | None = None
    metrics: Any = None
    dask: DaskWorker | None = None

    @property
    def over(self) -> bool:
        """Whether it is gone for good."""
        return self.phase in ("ended", "lost")

    @property
    def may_be_taken(self) -> bool:
        """Whether it is on a spot machine, so that its loss says nothing against its group."""
        return self.on_demand is False

    def row(self) -> dict[str, Any]:
        """A `WorkerState` as it is sent: a plain dict, since a thousand of them are made a second."""
        return {
            "name": self.name,
            "group": self.group,
            "phase": self.phase,
            "address": self.address,
            "host": self.host,
            "pid": self.pid,
            "since": self.since,
            "cpu": self.cpu,
            "memory_used": self.memory_used,
            "memory": self.memory,
            "threads": self.threads,
            "processing": self.processing,
            "done": self.done,
            "waste": self.waste,
            "problem": None if self.problem is None else self.problem.model_dump(),
        }


def present(counts: Counter[WorkerPhase]) -> int:
    """Workers that are, or are on their way to be, at work."""
    return counts["requested"] + counts["pending"] + counts["starting"] + counts["idle"] + counts["busy"]


class WorkerListener(Protocol):
    """What listens to the registry of workers."""

    def began(self, entry: WorkerEntry, at: Time | None) -> None:
        """It holds resources since `at`; None is now."""

    def ceased(self, entry: WorkerEntry, at: Time | None) -> None:
        """It holds nothing any more since `at`; None is now."""

    def joined(self, entry: WorkerEntry) -> None:
        """It is connected to the scheduler."""

    def ended(self, entry: WorkerEntry) -> None:
        """It went as it was asked to."""

    def died(self, entry: WorkerEntry) -> None:
        """It went and was not asked to; a replacement may be made."""

    def explained(self, entry: WorkerEntry) -> None:
        """Why it died is known, or never will be."""
