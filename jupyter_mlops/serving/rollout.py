"""What a router decides by itself about a version that is tried: whether it goes on, or back.

It wants that as people do, on record. Only one thing isn't waited for: a version that harms is asked nothing any more
at once, whatever the disk says.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from ..core.base import Seconds
from ..core.candidate import CandidateState
from ..core.errors import MlopsError
from ..core.service import ServiceSpec
from ..core.split import Move
from ..core.waiting import end_tasks
from ..core.words import percent
from ..home.services import ServiceFolder
from .arm import Arm
from .decisions import Decisions
from .traffic import Traffic
from .trial import CandidateTrial
from .wishes import promoted, split_words, with_share, without_candidate

#: Seconds between two looks; between two in which replicas are asked what they have counted, labels are read, and what
#: is known is kept; and between two tries to write.
_LOOK, _COUNT, _AGAIN = 0.25, 5.0, 0.5


class Trying(Protocol):
    """What a rollout needs of its router."""

    #: The wish that is so.
    spec: ServiceSpec
    #: The version that was tried last, and went back.
    past: CandidateState | None

    def changed(self) -> None:
        """The split is another one: say so."""

    async def aside(self, act: Callable[[], None]) -> None:
        """Have something done in a thread."""

    def leave(self, trial: CandidateTrial) -> None:
        """Let a version go that isn't tried any more, once it has answered what it was asked."""


class Rollout:
    """Watches the version that is tried, and moves it.

    Parameters
    ----------
    decisions : where they go.
    say : called with a line for the log.
    """

    def __init__(
        self,
        folder: ServiceFolder,
        traffic: Traffic,
        router: Trying,
        decisions: Decisions,
        say: Callable[[str], None],
    ) -> None:
        self._folder, self._traffic, self._router, self._say = folder, traffic, router, say
        self._decisions = decisions
        self._tasks: set[asyncio.Task[None]] = set()
        self._said = ""
        #: What can't be kept, and why.
        self.unkept = ""

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        counts = asyncio.get_running_loop().create_task(self._every(_COUNT, self._count))
        try:
            await self._every(_LOOK, self._look)
        finally:
            await end_tasks(counts)

    async def _every(self, pause: Seconds, act: Callable[[CandidateTrial, Arm], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(pause)
            trial, stable = self._traffic.trial, self._traffic.stable
            if trial is None or stable is None:
                continue
            try:
                await act(trial, stable)
            except Exception as error:  # noqa: BLE001 - who can't be compared is answered all the same, and holds
                self._complain(f"versions can't be compared: {type(error).__name__}: {error}")

    async def _count(self, trial: CandidateTrial, stable: Arm) -> None:
        """Hear what was counted and labelled. It may take long where much is logged, and no look waits for it."""
        stable.fleet.ask_counts()
        trial.arm.fleet.ask_counts()
        await self._router.aside(trial.read_labels)
        await self.keep()

    async def end(self) -> None:
        """Keep what is known. What is to be written still is tried no longer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.keep()
        await self._decisions.close()

    async def keep(self) -> None:
        """Write what is known. A disk that refuses ends nothing."""
        trial = self._traffic.trial
        if trial is not None and (kept := trial.kept()) is not None:

            def write() -> None:
                try:
                    self._folder.write_evidence(kept)
                    self.unkept = ""
                except MlopsError as error:
                    self.unkept = f"what is known of a candidate can't be written: {error}"
                    self._complain(self.unkept)

            await self._router.aside(write)

    async def _look(self, trial: CandidateTrial, stable: Arm) -> None:
        told = trial.look(stable)
        if told == "back":
            self._take_back(trial)
        elif told == "on":
            await self._go_on(trial)

    def _take_back(self, trial: CandidateTrial) -> None:
        """Ask it nothing any more, now; and then write that."""
        problem, seen = trial.problem(), self._router.spec
        past = trial.gone_back(problem)
        self._router.past, self._traffic.trial = past, None
        self._router.changed()
        self._say(problem.words)
        self._router.leave(trial)
        task = asyncio.get_running_loop().create_task(self._write_back(trial, seen, past))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write_back(self, trial: CandidateTrial, seen: ServiceSpec, past: CandidateState) -> None:
        name, before = f"{seen.model}@{trial.candidate.version}", split_words(seen.model, trial.candidate)
        told = {"object": name, "before": before, "after": seen.version_name, "why": trial.why}
        move = Move(time=time.time(), verb="rolled back", digest=trial.candidate.digest, **told)
        while True:
            try:
                await self._decisions.make(seen, without_candidate, move, past)
                return
            except MlopsError as error:
                self._complain(f"that {name} was taken back can't be written: {error}")
            await asyncio.sleep(_AGAIN)

    async def _go_on(self, trial: CandidateTrial) -> None:
        """Want the next share for it, or that it serves. The router makes that so, as any wish."""
        share, seen, why = trial.next_share, self._router.spec, trial.decided_words
        before, name = split_words(seen.model, trial.candidate), f"{seen.model}@{trial.candidate.version}"
        after = f"{name} serves" if share is None else percent(share)
        told = {"object": name, "before": before, "after": after, "why": why}
        trial.moving = True  # before it is written: the router may have made it so before this goes on
        try:
            done = await self._decisions.make(
                seen,
                promoted if share is None else lambda spec: with_share(spec, share, False),
                Move(time=time.time(), digest=trial.candidate.digest, **told),
            )
        except MlopsError as error:
            trial.moving = False
            return self._complain(f"{name} can't go on: {error}")
        if not done:
            trial.moving = False
            return None
        return self._say(f"{name} goes on: {after}")

    def _complain(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self._say(words)
