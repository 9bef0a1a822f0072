"""What the place does with a cluster that it knows, whoever made it: the backend asks, and needn't tell them apart."""

from __future__ import annotations

from typing import Protocol

from ...controller.link import Link
from ...core.base import Time
from ...core.cluster import ClusterSpec, ClusterState, Event, Problem, Receipt, Sample
from ...core.errors import ClusterUnreachable, Unreadable
from ...core.run import RunState
from ..base import Address


class PlacedCluster(Protocol):
    """A cluster, as it was listed a moment ago. Its coroutines may be called from any event loop.

    Where nothing else is said, they do what the methods of `Backend` of the same name do.
    """

    @property
    def spec(self) -> ClusterSpec:
        """What was asked for."""

    @property
    def fault(self) -> Problem | None:
        """What of it can't be read. Then `spec` is only what the names of its objects tell."""

    @property
    def live(self) -> bool:
        """Whether it has not ended."""

    def state(self) -> ClusterState:
        """What a card shows, as far as Kubernetes tells."""

    async def address(self, timeout: float) -> Address:
        """How to reach its scheduler."""

    async def link(self, timeout: float) -> Link:
        """An open link."""

    async def stop(self, cause: str, why: str, force: bool) -> None:
        """End it."""

    async def forget(self) -> None:
        """Remove its record."""

    def receipt(self) -> Receipt | None:
        """The final sum, once it has ended."""

    async def events(self) -> list[Event]:
        """What happened to it."""

    async def timeline(self, since: Time) -> list[Sample]:
        """Its timeline."""

    async def runs(self) -> list[RunState]:
        """Its runs."""

    async def results(self, run: str) -> list[bytes]:
        """What is kept of a run's result."""

    async def logs(self, worker: str | None, lines: int) -> list[str]:
        """The end of a log."""


def unreadable(fault: Problem) -> Unreadable:
    """`fault`, to be raised to who asks for what can't be read."""
    return Unreadable(fault.what, fault.why, fault.todo)


def unreachable(fault: Problem) -> ClusterUnreachable:
    """`fault`, to be raised to who wants to reach a cluster of which too little can be read for that."""
    return ClusterUnreachable(fault.what, fault.why, fault.todo)
