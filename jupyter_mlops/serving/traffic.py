"""Who answers: the version that serves, or the one that is tried beside it."""

from __future__ import annotations

import asyncio
import time

from ..core.errors import MlopsError, Unavailable
from .arm import Arm
from .fleet import WAITING
from .frames import AskedHead, Frame
from .shadow import ShadowCopy
from .trial import CandidateTrial


class Traffic:
    """The versions that answer now. Both may be changed between two requests."""

    def __init__(self) -> None:
        self.stable: Arm | None = None
        self.trial: CandidateTrial | None = None

    @property
    def ready(self) -> dict[int, int]:
        """How many replicas of each version answer."""
        arms = [self.stable, None if self.trial is None else self.trial.arm]
        return {arm.version: arm.ready for arm in arms if arm is not None}

    def arm(self, version: int) -> Arm | None:
        """The one of that number; None where it doesn't answer callers."""
        trial = self.trial
        if self.stable is not None and self.stable.version == version:
            return self.stable
        if trial is not None and trial.shadow is None and trial.arm.version == version:
            return trial.arm
        return None

    def choose(self, head: AskedHead, named: int | None = None) -> Arm:
        """The version that is to answer. One that has no replica ready is spared, while another has.

        Parameters
        ----------
        named : the version that the caller wants, and no other.

        Raises
        ------
        Unavailable : none is there yet.
        """
        stable, trial = self.stable, self.trial
        found = stable if named is None else self.arm(named)
        if stable is None or found is None:
            raise Unavailable("No version is ready", "the first one is being loaded", "Try again.")
        if named is not None or trial is None or trial.shadow is not None or not trial.arm.ready:
            return found
        return trial.arm if trial.chooses(head.key or head.id) or not stable.ready else stable

    async def ask(self, arm: Arm, code: int, body: bytes, head: AskedHead, *, named: bool) -> tuple[int, Frame]:
        """The answer of a version, and which one it is in the end: what one can't answer, because none of its replicas
        can, another is asked, unless the caller wants that one.

        Raises
        ------
        Unavailable : as `Fleet.ask`.
        asyncio.TimeoutError : it took too long.
        """
        packed, trial, began = head.packed(), self.trial, time.monotonic()
        if trial is not None and (named or (trial.shadow is None and not (trial.arm.ready and arm.ready))):
            trial = None  # who wants a version, or gets the only one that is ready, says nothing of both
        spare = None if named else self._other(arm)
        waiting = 0.0 if spare is not None and spare.ready else WAITING
        try:
            frame = await arm.fleet.ask(code, body, packed, waiting)
        except (MlopsError, asyncio.TimeoutError) as error:
            if trial is not None and trial.shadow is None:
                trial.heard(arm is trial.arm, False, time.monotonic() - began)
            other = self._other(arm)
            if not isinstance(error, Unavailable) or other is None or (named and other.version != arm.version):
                raise
            return other.version, await other.fleet.ask(code, body, packed)
        if trial is not None:
            took = time.monotonic() - began
            if trial.shadow is None:
                trial.heard(arm is trial.arm, frame.code == 200, took)
            elif trial.chooses(head.key or head.id):
                trial.shadow.offer(ShadowCopy(code, body, packed, frame, took))
        return arm.version, frame

    def _other(self, arm: Arm) -> Arm | None:
        """Who answers in place of a version that can't."""
        if self.stable is not None and self.stable is not arm:
            return self.stable
        trial = self.trial
        return trial.arm if trial is not None and trial.shadow is None and trial.arm.ready else None
