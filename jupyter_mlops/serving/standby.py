"""The version that served before, kept ready beside the one that serves: to go back to it takes as long as to say so.

Its replicas are asked nothing, and need no CPU; what they cost is memory. So they are kept for a while only, as long as
the machine has enough, and until replicas of another version are started: a service has two versions in memory at most,
and a third one while it takes over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..core.base import Seconds
from ..core.service import ReplicaState, ServiceSpec
from ..core.words import about, percent
from ..home.machine import free_memory
from .arm import Arm
from .replica_process import ReplicaProcess

#: Seconds that the version which served before is kept ready.
KEPT: Seconds = 600.0

#: The part of the memory that has to be free meanwhile, of the machine, and of the container.
FREE = 0.1

#: Seconds that its replicas have to say that they are there, before they serve again.
_THERE: Seconds = 2.0


class Standby:
    """The version that is kept; none, to begin with.

    Parameters
    ----------
    say : called with a line for the log.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._arm: Arm | None = None
        self._replicas: list[ReplicaProcess] = []
        self._since = self._until = 0.0

    def keep(self, arm: Arm) -> None:
        """Keep a version which has just been replaced; another one isn't kept by now."""
        self._arm, self._since, self._until = arm, time.time(), time.monotonic() + KEPT
        self._replicas = list(arm.fleet.replicas)
        self._say(f"{_name(arm)} is kept ready for {about(KEPT)}: to go back to it takes no time")

    async def back(self, wanted: ServiceSpec) -> Arm | None:
        """The version that is kept, to serve again, where it is the wanted one, and all of its replicas are there."""
        arm = self._arm
        if arm is None or arm.record.digest != wanted.digest or bounds(wanted) != bounds(arm.fleet.spec):
            return None
        if not self._whole(arm) or not await arm.fleet.there(_THERE) or self._arm is not arm:
            return None
        self._arm = None
        return arm

    def let_go(self) -> Arm | None:
        """What was kept, and isn't any more: its replicas are to be ended."""
        arm, self._arm = self._arm, None
        return arm

    def overdue(self) -> Arm | None:
        """What has been kept for long enough, or can't be any more. To be called every second."""
        if self._arm is None:
            return None
        self._arm.fleet.look()
        why = None
        if time.monotonic() >= self._until:
            why = f"{about(KEPT)} are over"
        elif not self._whole(self._arm):
            why = "it has lost a replica"
        elif (free := free_memory()) < FREE:
            why = f"only {percent(free)} of the memory is free"
        if why is None:
            return None
        self._say(f"{_name(self._arm)} isn't kept ready any more: {why}")
        return self.let_go()

    def _whole(self, arm: Arm) -> bool:
        """Whether it has all replicas that it was kept with: one in the place of another may die as that did."""
        whole = arm.ready == len(arm.fleet.replicas) == arm.fleet.spec.replicas
        return whole and arm.fleet.replicas == self._replicas

    @property
    def memory(self) -> list[int]:
        """The processes whose memory it takes."""
        return [pid for each in self.states() if (pid := each.pid) is not None]

    def states(self) -> list[ReplicaState]:
        """Its replicas."""
        if self._arm is None:
            return []
        kept = {"phase": "standby", "since": self._since}
        return [each.state().model_copy(update=kept) for each in self._arm.fleet.replicas]


def bounds(spec: ServiceSpec) -> dict[str, Any]:
    """What replicas of any version are made by."""
    return spec.model_dump(include={"patience", "profile", "name", "model"})


def _name(arm: Arm) -> str:
    return arm.fleet.spec.version_name
