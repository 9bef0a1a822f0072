"""The contract of a place. `tests/places` holds every place to it."""

from __future__ import annotations

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ..controller.link import Link
from ..core.account import AccountStore
from ..core.base import Input, Seconds, Time, read_input
from ..core.cluster import ClusterSpec, ClusterState, Event, Problem, Receipt, Sample
from ..core.errors import ClusterEnded, ClusterUnreachable, Fault, StartFailed
from ..core.estimate import Quotes
from ..core.price import Price
from ..core.profile import Place, Profile
from ..core.run import RunState
from ..core.waiting import wait_for
from .hosting import Hosting
from .scheduling import Scheduling


@dataclass(frozen=True)
class Address:
    """How a Dask client reaches a cluster: `distributed.Client(address.url, security=address.security)`."""

    url: str
    #: A `distributed.security.Security`, or None where the cluster has no TLS.
    security: Any = None


#: Seconds that a controller may take to accept its end, before the cluster is ended by force.
PATIENCE = 5.0


async def ends_itself(open_link: Callable[[float], Awaitable[Link]], cause: str, why: str) -> bool:
    """Whether a controller accepted in time to end its cluster, or the cluster has ended meanwhile.

    Parameters
    ----------
    open_link : opens a link to the controller within so many seconds, as `Backend.link`.
    cause, why : as in `Backend.stop`.
    """

    async def ask() -> None:
        link = await open_link(PATIENCE)
        try:
            await link.stop(cause, why)
        finally:
            await link.close()

    try:
        await wait_for(ask(), PATIENCE)
    except (asyncio.TimeoutError, ClusterUnreachable):
        return False
    except (ClusterEnded, StartFailed):
        pass
    return True


class Backend(ABC):
    """A place where clusters live. The record in the place is the truth.

    There is one instance for each place and process (a forked process makes its own). It may hold connections and
    threads, and what it saw last, so that it can be listed while the place doesn't answer; nothing that would be lost
    with the process.

    Where a method takes the `name` of a cluster, that is whatever `core.naming` understands: a bare name, or a
    `ClusterState.id`, which must never lead to another cluster that has the same name now.

    All coroutines may be called from any event loop, and never block it for more than a few milliseconds. What a place
    can do is said by its attributes, so that nobody has to know places by their names.
    """

    #: The name of the place, as in its entry point, in profiles and in records.
    place: ClassVar[Place]

    #: What people read beside the name of a cluster: "this machine".
    title: ClassVar[str]

    #: Whether the controllers of clusters write the records and results of runs into this user's home folder. Where
    #: they don't, the kernel keeps a copy there of what they tell.
    writes_home: ClassVar[bool] = False

    #: Whether a Dask client reaches the workers themselves, and not only the scheduler.
    direct_workers: ClassVar[bool] = False

    #: Whether its machines may have prices of their own, which are known once workers are there.
    prices_hosts: ClassVar[bool] = False

    #: Whether a group may ask for spot machines: cheaper ones that may be taken away.
    has_spot: ClassVar[bool] = False

    #: What the options of a profile may hold, and those of its groups: nothing, unless a place says otherwise.
    profile_options: ClassVar[type[Input]] = Input
    group_options: ClassVar[type[Input]] = Input

    def hosting(self) -> Hosting | None:
        """Where its services live; None for a place that has only clusters."""
        return None

    def scheduling(self) -> Scheduling | None:
        """Where it runs notebooks by itself; None for a place that doesn't."""
        return None

    def check_options(self, profile: Profile, read: Callable[..., Input] = read_input) -> None:
        """Raise `InvalidSpec`, which names the field, when an option of `profile` or of a group isn't valid here; as
        `read` reads them: `read_input`, or `read_request`."""
        read(self.profile_options, profile.options, "profile", "options")
        for number, group in enumerate(profile.groups):
            read(self.group_options, group.options, "profile", f"groups.{number}.options")

    def doubts(self, profile: Profile) -> list[Fault]:
        """What whoever types `profile` can hardly have meant, so far as that is known at once: said while it is typed,
        and no reason not to save it. May read files."""
        return []

    def shipped_profiles(self) -> list[Profile]:
        """Profiles that come with the place, where clusters can be made now, as far as that is known at once. May read
        files."""
        return []

    def free_name(self, base: str) -> str:
        """A name for a new cluster, from `base`, of at most 42 characters. May read files.

        Random letters are added, because people share most places and don't see all of each other's clusters.
        """
        return f"{base}-{secrets.token_hex(2)}"

    def with_packages(self, profile: Profile, packages: list[str]) -> Profile:
        """`profile`, such that workers have `packages` ("name==version") of the kernel when they start.

        Unchanged where workers can't get them at their start, or have the kernel's environment anyhow; what is still
        missing then is brought to them later.
        """
        return profile

    async def check(self, profile: Profile) -> None:
        """Raise `InvalidSpec` or `Refused` when a cluster of `profile` can't be made here. Makes nothing.

        A place that has more to check begins with `super().check`.
        """
        self.check_options(profile)

    async def quotes(self, profile: Profile, price: Price, patience: Seconds = 0.0) -> Quotes | None:
        """What workers of `profile` would cost on the machines that there are, before there are any workers; None where
        the place doesn't know better than `price`, the rates that somebody set. Never raises: what keeps it from
        knowing is said in its answer.

        Waits for `patience` seconds at most, where it has to ask for the machines. With none it tells what it knew
        last, and asks beside, for those who come again.
        """
        return None

    async def accounts(self, profile: Profile | None = None) -> AccountStore | None:
        """Where the accounts are of which clusters of `profile` (None: wherever they are made by default) hold money;
        None where the place keeps none. Its controllers must be given the same.

        Raises `Refused`, `Unavailable` where it can't be reached.
        """
        return None

    @abstractmethod
    async def start(self, spec: ClusterSpec) -> ClusterState:
        """Make a cluster. Returns as soon as its record exists: it is listed from here on, in phase `starting`.

        Raises `NameTaken` when a live cluster has the name, `StartFailed`, `StorageFull`.
        """

    @abstractmethod
    async def clusters(self) -> list[ClusterState]:
        """All clusters of this user, live and ended (for 7 days), newest first, whoever made them; with `mine` set for
        those that are this user's own.

        Cheap: reads records, connects to nothing. A cluster whose processes are gone without a receipt is shown as
        ended with its cause, and its receipt is written.
        """

    def silence(self) -> Problem | None:
        """Why clusters may be missing from the last list; None when it was whole."""
        return None

    def way(self) -> str | None:
        """How this place is reached, when there is a way that may be closed (a server, a host); None where there is
        none, or it can't be known now. Clusters that were seen by one way are not expected at the end of another."""
        return None

    @abstractmethod
    async def get(self, name: str) -> ClusterState:
        """The one of that name, as in `clusters`. Raises `UnknownCluster`."""

    @abstractmethod
    async def spec(self, name: str) -> ClusterSpec:
        """What was asked for. Raises `UnknownCluster`."""

    @abstractmethod
    async def address(self, name: str, timeout: float = 30.0) -> Address:
        """How to reach its scheduler, waiting for one that is starting. Raises `UnknownCluster`, `ClusterEnded`,
        `StartFailed` (with the log's last lines), `ClusterUnreachable`."""

    @abstractmethod
    async def link(self, name: str, timeout: float = 30.0) -> Link:
        """An open link to its controller. Raises as `address`."""

    async def stop(self, name: str, cause: str = "user", why: str = "", force: bool = False) -> None:
        """End it. Through its controller when that answers within 5 s, else (or with `force`) by `end`.

        Returns when the end is under way; a no-op when it has ended. Raises `UnknownCluster`.
        """
        if (await self.get(name)).phase == "ended":
            return
        if force or not await ends_itself(lambda timeout: self.link(name, timeout), cause, why):
            await self.end(name, cause, why)

    @abstractmethod
    async def end(self, name: str, cause: str, why: str) -> None:
        """End a live cluster by the place's own means, without its controller, and write its receipt. Raises
        `UnknownCluster`, and `ClusterUnreachable` where that can't be done from here."""

    @abstractmethod
    async def forget(self, name: str) -> None:
        """Remove the record of a cluster that ended. Raises `Conflict` when it is alive, `UnknownCluster`."""

    @abstractmethod
    async def receipt(self, name: str) -> Receipt | None:
        """The final sum, once it has ended."""

    @abstractmethod
    async def events(self, name: str) -> list[Event]:
        """The events of a cluster, live or ended, oldest first."""

    @abstractmethod
    async def timeline(self, name: str, since: Time = 0) -> list[Sample]:
        """The timeline of a cluster, live or ended."""

    @abstractmethod
    async def runs(self, name: str) -> list[RunState]:
        """The runs that its controller recorded, live or ended."""

    async def results(self, name: str, run: str) -> list[bytes]:
        """The parts of a small result of a detached run, as the place kept them for longer than the cluster lived;
        empty where it wasn't small, or where the home folder has all results. Raises `UnknownCluster`."""
        return []

    @abstractmethod
    async def logs(self, name: str, worker: str | None = None, lines: int = 200) -> list[str]:
        """The last lines of the scheduler's or a worker's log, dead or alive, live cluster or ended."""
