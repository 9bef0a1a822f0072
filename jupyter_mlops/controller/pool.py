"""The contract of a pool: the driver of a place, which makes and removes workers for the controller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..core.base import Time
from ..core.cluster import Problem, WorkerPhase
from ..core.profile import Group


@dataclass(frozen=True)
class Notice:
    """What the place says of a worker.

    `phase` is one of requested, pending, starting (it holds resources from here on), ended (as asked) and lost.
    `problem` says why it is pending or lost; `host` and `pid` where it is, once known. `shape` is the CPUs, bytes and
    GPUs that are set aside for it there, where the place knows better than its group does. `began` and `ended` are when
    it began and ceased to hold them, where the place knows better than that it is now. `on_demand` is whether it was
    made on demand and not on spot, where the place has made it, and knows. `unseen` is whether it went while the place
    could not be heard: then the end of its connection tells best when. `taken` is whether it is lost since its spot
    machine was taken away, which says nothing against its group.
    """

    worker: str
    phase: WorkerPhase
    problem: Problem | None = None
    host: str = ""
    pid: int | None = None
    shape: tuple[float, float, float] | None = None
    began: Time | None = None
    ended: Time | None = None
    on_demand: bool | None = None
    unseen: bool = False
    taken: bool = False
    details: dict[str, str] = field(default_factory=dict)


class Pool(Protocol):
    """Makes and removes workers by name. All methods run on the scheduler's event loop and never block it."""

    #: What keeps the place from being asked or heard, while something does. The cluster goes on with what it has.
    problem: Problem | None

    async def start(self, scheduler_address: str, notify: Callable[[Notice], None]) -> None:
        """Begin; from now on `notify` is called, on the event loop, whenever the place says something of a worker.

        Workers that the place already has (after the scheduler's restart) are told of first.
        """

    async def create(self, group: Group, names: Sequence[str]) -> None:
        """Ask for workers of `group` with these names. Returns when they are asked for, not when they are up. Of a spot
        group `spot` is False where they are to be made on demand.

        What can't be had is told by a notice with a problem, not raised: one refusal must not undo the others.
        """

    async def remove(self, names: Sequence[str], grace: float = 5.0) -> None:
        """End these workers, whose data has been moved; kill what is not gone after `grace` seconds.

        A no-op for those that are gone. Each is told of as `ended`.
        """

    async def logs(self, name: str, lines: int = 200) -> list[str]:
        """The last lines that a worker wrote, dead or alive; empty when nothing is known of it."""

    async def close(self) -> None:
        """End all workers and everything else that the pool made. A no-op the second time."""
