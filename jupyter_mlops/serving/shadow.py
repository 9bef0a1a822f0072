"""A shadow: a version that is asked what another one has answered, and answers nobody."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic_core import from_json

from ..core.base import Seconds
from ..core.errors import Unavailable
from ..core.evidence import Agreement
from ..core.waiting import end_tasks
from .arm import Arm
from .frames import PREDICT, Frame

#: Copies that wait at most, copies that are asked at a time, and bytes of one.
_WAITING, _AT_ONCE, _LARGEST = 200, 4, 100_000

#: How far apart two numbers may be and be the same, of themselves.
_NEAR = 1e-6


class ShadowCopy(NamedTuple):
    """What the stable version was asked, and answered."""

    code: int
    body: bytes
    head: bytes
    answer: Frame
    took: Seconds


class Shadow:
    """Asks a version copies of requests. No caller waits for it: what is too much, or too large, is left out.

    Parameters
    ----------
    heard : called with whether each of both answered, and the seconds that each took: stable, shadow.
    """

    def __init__(self, arm: Arm, heard: Callable[[tuple[bool, Seconds], tuple[bool, Seconds]], None]) -> None:
        self._arm, self._heard = arm, heard
        self.agreement = Agreement()
        self._waiting: asyncio.Queue[ShadowCopy] = asyncio.Queue(_WAITING)
        self._tasks = [asyncio.get_running_loop().create_task(self._work()) for _ in range(_AT_ONCE)]

    def offer(self, copy: ShadowCopy) -> None:
        """Ask it this, too, when there is time."""
        if len(copy.body) > _LARGEST or self._waiting.full():
            self.agreement.dropped += 1
        else:
            self._waiting.put_nowait(copy)

    async def end(self) -> None:
        """Ask no more."""
        await end_tasks(*self._tasks)

    async def _work(self) -> None:
        while True:
            copy = await self._waiting.get()
            began, told = time.monotonic(), None
            with contextlib.suppress(Unavailable, asyncio.TimeoutError):
                told = await self._arm.fleet.ask(copy.code, copy.body, copy.head)
            took = time.monotonic() - began
            self._heard((copy.answer.code == 200, copy.took), (told is not None and told.code == 200, took))
            if told is not None and told.code == copy.answer.code == 200:
                self._compare(copy, told)

    def _compare(self, copy: ShadowCopy, told: Frame) -> None:
        for one, other in zip(_answers(copy.code, copy.answer), _answers(copy.code, told), strict=False):
            self.agreement.rows += 1
            if isinstance(one, float) and isinstance(other, float):
                self.agreement.same += math.isclose(one, other, rel_tol=_NEAR, abs_tol=1e-12)
                if math.isfinite(one - other):
                    self.agreement.distance.add(abs(one - other))
            else:
                self.agreement.same += one == other


def _answers(code: int, frame: Frame) -> list[Any]:
    """The answers of a replica, which runs what people wrote, and may say anything."""
    try:
        told = from_json(frame.body)
        found = told["predictions"] if code == PREDICT else told["outputs"][0]["data"]
        return found if isinstance(found, list) else []
    except (ValueError, KeyError, IndexError, TypeError):
        return []
