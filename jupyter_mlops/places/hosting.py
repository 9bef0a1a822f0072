"""The contract of a place that has services, beside that of its clusters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from ..core.alert import ServiceWatch
from ..core.base import Seconds, Time
from ..core.callers import CallerDay
from ..core.cluster import Problem, Receipt
from ..core.errors import Unavailable
from ..core.label import JoinedLabels
from ..core.performance import Performance
from ..core.service import ServiceSpec, ServiceState
from ..core.split import Move
from ..core.traffic import TrafficMinute
from ..core.window import Window
from ..home.request_files import LoggedPieces


class Hosting(ABC):
    """Where services live. As with clusters, the record in the place is the truth, and whoever looks finds the same:
    services outlive the kernel, the server and the browser that they were made from.

    All coroutines may be called from any event loop, and never block it. Where one takes the `name` of a service, it
    raises `UnknownService` when there is none.
    """

    #: Whether its services are made by a profile, as clusters are.
    by_profile: ClassVar[bool] = False

    #: Whether a sample of what its services are asked can be logged.
    logs_requests: ClassVar[bool] = False

    #: Whether their alarms are known here, in the folders of services, though nobody looks. Else the clock has them
    #: looked at that are to be retrained for them.
    tells_alarms: ClassVar[bool] = False

    #: Seconds between two looks of whoever waits for a service.
    every: ClassVar[Seconds] = 0.05

    @abstractmethod
    async def deploy(self, spec: ServiceSpec) -> ServiceState:
        """Make a service, or want another version, more replicas or other bounds of one that is there.

        Returns as soon as that is on record: `ServiceState.revision` becomes the spec's when it is so, or can't be. One
        that has stopped, or whose router died, is started again, at its old address and with its callers.

        Raises `Conflict` where another model has the name, its address can't change while it lives, or it lives where
        it can't be changed from here; `StartFailed`, `StorageFull`, `Refused`.
        """

    @abstractmethod
    async def change(self, name: str, change: Callable[[ServiceSpec], ServiceSpec], expected: str = "") -> ServiceSpec:
        """Want what `change` makes of the present wish, which nobody else changes meanwhile; returns that. As with
        `deploy`, it is so later.

        Parameters
        ----------
        expected : the revision of the present wish, as far as whoever asks knows; empty where they don't.

        Raises `Conflict` where there is another wish since; `Unavailable` where the service doesn't live; and whatever
        `change` raises.
        """

    async def decided(self) -> list[tuple[ServiceState, Move]]:
        """What services have decided by themselves about versions that are tried, as of the last look, for who writes
        it into the trail: each is told once. None of those that write there themselves."""
        return []

    @abstractmethod
    async def services(self) -> list[ServiceState]:
        """All services of this user: live ones, dead ones, and those that stopped in the last 7 days. One whose record
        can't be read is a row that says so. Cheap: connects to nothing."""

    @abstractmethod
    async def get(self, name: str) -> ServiceState:
        """The one of that name."""

    @abstractmethod
    async def spec(self, name: str) -> ServiceSpec:
        """What is wanted of it. Raises `Unreadable`, too."""

    @abstractmethod
    async def withdraw(self, spec: ServiceSpec) -> None:
        """Want again what answers, in place of `spec`, which can't be so; a no-op where something else is wanted."""

    async def reach(self, name: str) -> str:
        """Where this process finds it, which may be elsewhere than its callers do. Raises `Unavailable`, too."""
        return (await self.get(name)).address

    async def receipt(self, name: str) -> Receipt | None:
        """The final sum of one that has stopped; None where it costs nothing, or lives."""
        return None

    def silence(self) -> Problem | None:
        """Why services may be missing from the last list; None when it was whole."""
        return None

    @abstractmethod
    async def stop(self, name: str) -> None:
        """End it; what was asked is answered before. Returns when it is gone; a no-op when it has stopped. Raises
        `Unavailable` where that can't be done from here."""

    @abstractmethod
    async def forget(self, name: str) -> None:
        """Remove the record of one that has stopped, with its callers. Raises `Conflict` when it lives."""

    @abstractmethod
    async def own_token(self, name: str) -> str:
        """The token of this user, by which their own notebooks and programs call it."""

    @abstractmethod
    async def let_in(self, name: str, caller: str) -> str:
        """A new token for a caller, in place of an earlier one. It can't be had a second time. Raises `Conflict` where
        there are too many callers."""

    @abstractmethod
    async def shut_out(self, name: str, caller: str) -> bool:
        """Take a caller's token back, at once; whether there was one."""

    @abstractmethod
    async def callers(self, name: str) -> list[str]:
        """Who has a token."""

    async def usage(self, name: str) -> list[CallerDay] | None:
        """Those, with what each asked today and when it did so last, as of some seconds ago; None where that isn't
        known. Raises `Unreadable`, too."""
        return None

    async def traffic(self, name: str, since: Time) -> list[TrafficMinute] | None:
        """How much it was asked since, by the minute, as of a minute ago; None where that isn't known. Raises
        `Unreadable`, too."""
        return None

    @abstractmethod
    async def watch(self, name: str) -> ServiceWatch | None:
        """How what it is asked compares with its version's baseline, as of some seconds ago; None before anything was
        counted. Raises `Unreadable`, too."""

    @abstractmethod
    async def keep(self) -> None:
        """Look at all services, and keep here what they have counted and logged, of a place where that may go: so that
        lists know of alarms, and rows outlive who logged them. For who runs for long, now and then."""

    @abstractmethod
    async def windows(self, name: str) -> list[Window]:
        """What was counted, in windows that are over, the first first. Raises `Unreadable`, too."""

    async def performance(self, name: str) -> Performance | None:
        """How good its version is at what it is asked, as of some seconds ago; None before anything was logged. Raises
        `Unreadable`, too."""
        return None

    async def new_rows(self, name: str, since: Time) -> int:
        """Logged rows that one could learn from since then, as `RequestLog.new_rows`, as far as they are known here.
        Raises as `label`."""
        raise _not_logged(name)

    async def settled(self) -> None:  # noqa: B027 - most have nothing to make good
        """Return when nothing goes on any more of what this process makes good as it looks at services: for one that
        is about to end."""

    async def label(self, name: str, pairs: Iterable[tuple[str, object]]) -> JoinedLabels:
        """Join labels to the logged rows of these ids. Raises `Unavailable`, `Unreadable`, `StorageFull`, `Refused`."""
        raise _not_logged(name)

    async def requests(self, name: str, since: Time) -> list[dict[str, Any]]:
        """The rows that were logged since, as `RequestLog.rows` tells them. Raises as `label`."""
        raise _not_logged(name)

    async def logged(self, name: str, since: Time) -> LoggedPieces:
        """The same by where they are, as `RequestLog.logged` tells them. Raises as `label`."""
        raise _not_logged(name)

    async def forget_key(self, name: str, key: str) -> int:
        """Remove what the requests of a key left in the log; how many rows that were. Raises as `label`."""
        raise _not_logged(name)

    @abstractmethod
    async def logs(self, name: str, lines: int = 200) -> list[str]:
        """The last lines of its router and of its replicas."""


def _not_logged(name: str) -> Unavailable:
    return Unavailable(f"The requests of {name!r} aren't logged", "its place can't do that yet", "")
