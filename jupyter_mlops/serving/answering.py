"""What the front of a service needs of the router behind it."""

from __future__ import annotations

from typing import Any, Protocol

from ..core.alert import ServiceWatch
from .arm import Arm
from .counts import TrafficCounts
from .frames import AskedHead, Frame


class Answering(Protocol):
    """A router."""

    counts: TrafficCounts
    #: Most bytes of a body.
    body: int

    @property
    def model(self) -> str:
        """The name of the model."""

    @property
    def version(self) -> int:
        """The version that answers; 0 while none does."""

    @property
    def ready(self) -> dict[int, int]:
        """How many replicas of each version answer."""

    @property
    def begun(self) -> bool:
        """Whether it is to be sent callers: it may answer before."""

    def answers(self, version: int) -> bool:
        """Whether a version answers callers."""

    def metadata(self, version: int | None = None) -> dict[str, Any]:
        """What the protocol tells of a version; None: of the one that serves."""

    def watch(self, caller: str) -> ServiceWatch:
        """How what it is asked compares with the baseline; raises `Refused` for whoever isn't its owner."""

    async def of_log(self, caller: str, question: str, body: bytes) -> bytes:
        """What its log says to a question of its owner; raises `Refused` for whoever isn't that, and as
        `log_door.answer`."""

    def caller(self, token: str) -> str | None:
        """Whose token this is; raises `Unavailable` where that can't be seen."""

    def choose(self, head: AskedHead, version: int | None = None) -> Arm:
        """Which version is to answer a request; None: whichever is its turn. Raises `Unavailable`."""

    async def ask(self, arm: Arm, code: int, body: bytes, head: AskedHead, *, named: bool) -> tuple[int, Frame]:
        """The answer to a request, of which `head` tells what its body doesn't, and the version that gave it; which is
        another one where that can't, unless it is `named`. Raises `Unavailable`, asyncio.TimeoutError."""
