"""A version that is tried in several pods at once, of which each has a router that decides: by what all have seen.

What they agree upon stands on a board. Each reports there what it has seen, reads what the others have, and follows who
answers, whoever decided it: people, itself or another pod. Where the board can't be reached, each goes on with what it
knows. It may still take the candidate back; it can't give it more.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from ..core.base import Seconds
from ..core.candidate import CandidateState
from ..core.errors import Conflict, MlopsError, Unavailable
from ..core.service import ServiceSpec
from ..core.split import Move, ReplicaReport, Split
from ..core.waiting import end_tasks, wait_for
from ..home.services import ServiceFolder
from .board import SplitBoard
from .router import ServiceRouter
from .watching import say

#: Seconds between two looks, and between two reports of what was seen; with more pods these are longer, so that all
#: together don't ask Kubernetes for more than so many did.
_LOOK: Seconds = 0.5
_REPORT: Seconds = 5.0
_PODS = 8

#: Seconds after which a pod that has told nothing counts as gone: of the most that there may be, one tells more often.
_GONE: Seconds = 900.0

#: Reports that are left on the board. Pods come and go while a version is tried for weeks, and what they have seen
#: stays, but Kubernetes takes a megabyte; the oldest go.
_MOST_REPORTS = 256

#: Seconds in which the board has to be found at first: rights that were just given may not count yet.
_FIRST: Seconds = 60.0

#: Seconds to tell what was seen at the end.
_LAST: Seconds = 5.0

#: How often something is decided anew where somebody else has decided at the same moment.
_TRIES = 5


class JointTrial:
    """What one pod does for the trial.

    Parameters
    ----------
    pod : its name.
    """

    def __init__(self, folder: ServiceFolder, board: SplitBoard, pod: str) -> None:
        self._folder, self._board, self._pod = folder, board, pod
        #: Experiments whose candidate this pod has taken back, whatever the board says.
        self._harmed: set[str] = set()
        self._followed: object = None
        self._told: tuple[object, ...] = ()
        self._told_at, self._said, self._pods = 0.0, "", 1
        #: Pods whose reports are too many.
        self._too_many: list[str] = []
        self._router: ServiceRouter | None = None
        self._work: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Want what the board says, before there is a router. One that was here before knows what it said last.

        Raises
        ------
        Unavailable, Refused : nobody knows who is to answer.
        """
        late = time.monotonic() + _FIRST
        while True:
            try:
                return self._follow((await self._board.read()).split)
            except MlopsError as fault:
                if (before := self._folder.split()) is not None:
                    self._complain(str(fault))
                    return self._follow(before)
                if time.monotonic() > late:
                    raise
            await asyncio.sleep(_LOOK)

    def join(self, router: ServiceRouter) -> None:
        """Take part from now on, until it is closed."""
        self._router = router
        self._work = asyncio.get_running_loop().create_task(self._run(router))

    async def close(self) -> None:
        """As in `Decisions`: what was seen stays on the board when the pod goes."""
        if self._work is None or self._router is None:
            return
        await end_tasks(self._work)
        self._told_at = 0.0
        with contextlib.suppress(MlopsError, asyncio.TimeoutError):
            await wait_for(self._tell(self._router), _LAST)

    async def _run(self, router: ServiceRouter) -> None:
        while True:
            try:
                await self.look(router)
                self._said = ""
            except MlopsError as fault:
                self._complain(str(fault))
            except Exception as error:  # noqa: BLE001 - who takes no part any more would never hear who is to answer
                self._complain(f"what others have decided isn't followed: {type(error).__name__}: {error}")
            await asyncio.sleep(_LOOK * max(1.0, self._pods / _PODS))

    async def look(self, router: ServiceRouter) -> None:
        """Hear what others have told and decided, and tell what is new here. Raises as `SplitBoard.read`."""
        board = await self._board.read(cached=True)
        self._follow(board.split)
        times = {pod: each.time for pod, each in board.reports.items()}
        self._pods = sum(told > time.time() - _GONE for told in times.values())
        self._too_many = sorted(times, key=lambda pod: times[pod])[:-_MOST_REPORTS]
        router.hold(board.split.waits)
        if router.trial is not None:
            router.trial.others = [each for pod, each in board.reports.items() if pod != self._pod]
        await self._tell(router)

    async def make(
        self,
        seen: ServiceSpec,
        change: Callable[[ServiceSpec], ServiceSpec],
        move: Move,
        past: CandidateState | None = None,
    ) -> bool:
        """As in `Decisions`. A candidate that harms goes, whatever share somebody has given it meanwhile."""
        if seen.candidate is None:
            return False
        salt = seen.candidate.salt
        if past is not None:
            self._harmed.add(salt)
        for _ in range(_TRIES):
            board = await self._board.read()
            now = board.split.within(seen)
            if now.candidate is None or now.candidate.salt != salt:
                return False
            if past is None and now.revision != seen.revision:
                return False
            told = {"past": past, "moves": [*board.split.moves, move]}
            split = board.split.following(change(now)).model_copy(update=told)
            with contextlib.suppress(Conflict):  # somebody decides at the same moment: what they want is looked at
                self._follow((await self._board.write_split(split, board.version)).split)
                return True
        raise Unavailable("The version that is tried isn't changed", "others decide all the time", "")

    def _follow(self, split: Split) -> None:
        """Want what it says."""
        if (followed := (split.revision, split.waits)) == self._followed:
            return
        spec = split.within(self._folder.spec())
        if spec.candidate is not None and spec.candidate.salt in self._harmed:
            return  # it is about to be written that it went back
        self._folder.write_split(split)
        self._folder.write_spec(spec)
        self._followed = followed

    async def _tell(self, router: ServiceRouter) -> None:
        """Report what is another, at once, and what was seen, now and then."""
        state, trial = router.state(), router.trial
        so = {"version": state.version, "revision": state.revision, "problem": state.problem}
        told = (*so.values(), state.candidate is None or state.candidate.phase, bool(trial and trial.arm.ready))
        pause = _REPORT * max(1.0, (self._pods / _PODS) ** 2)
        if told == self._told and time.monotonic() - self._told_at < pause:
            return
        report = ReplicaReport(time=time.time(), candidate=state.candidate) if trial is None else trial.report()
        await self._board.report(self._pod, report.model_copy(update=so), self._too_many)
        self._told, self._told_at = told, time.monotonic()

    def _complain(self, words: str) -> None:
        if words != self._said:
            self._said = words
            say(words)
