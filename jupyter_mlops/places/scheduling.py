"""The contract of a place that runs notebooks by itself, beside that of its clusters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from ..core.cluster import Problem
from ..core.schedule import Outcome, Schedule, ScheduleSpec


class Scheduling(ABC):
    """Where schedules live beside this machine's. The record in the place is the truth; nothing of this user's has to
    live for them.

    All coroutines may be called from any event loop, and never block it. A notebook is meant by its path.
    """

    @abstractmethod
    async def schedule(self, spec: ScheduleSpec, parts: Sequence[bytes]) -> Schedule:
        """Have a notebook run, in place of what was wanted of it there before.

        Parameters
        ----------
        parts : the files that it needs, as `home.parcels.zipped` packs them.

        Raises `InvalidSpec`, `Refused`, `Unavailable`. Nothing is left where it can't be made, and what was wanted
        before goes on.
        """

    @abstractmethod
    async def schedules(self) -> tuple[list[Schedule], Problem | None]:
        """All of this user's, with how they went last; and, where a part of the place doesn't answer, why there may be
        more."""

    @abstractmethod
    async def get(self, notebook: str) -> Schedule | None:
        """That of a notebook; None where there is none. Raises `Unavailable`, `Refused` where nobody can say."""

    @abstractmethod
    async def unschedule(self, notebook: str) -> bool:
        """End it, with what runs of it, and remove all that was brought; whether there was one. Raises as `get`."""

    @abstractmethod
    async def log(self, notebook: str) -> list[str]:
        """What its last run printed, as far as that is kept. Raises `NotFound`, and as `get`."""

    @abstractmethod
    async def values(self, notebook: str) -> list[bytes]:
        """What the steps of its last run that is over made, so far as that is kept, in parts. Raises as `log`."""

    @abstractmethod
    async def keep(self, spec: ScheduleSpec, outcome: Outcome, log: str, values: Sequence[bytes]) -> None:
        """Keep how a run went, and what its steps made in parts, from where it runs. Raises `Unavailable`,
        `Refused`."""
