"""Another wish of a service that lives: what its pods can do as they are stands on their board; for all else there are
others.

What pods have decided by themselves is made good by whoever looks: where a version isn't tried any more, pods with one
version take the place of those with two, which answer as was decided until then. And whoever sees that no pod is left
without a version that is to be tried lets it answer: which pods there are they don't know themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ....core.board import Board
from ....core.candidate import CandidateState
from ....core.cluster import Problem
from ....core.errors import Conflict, MlopsError, StartFailed, Unavailable
from ....core.service import ServiceSpec, ServiceState
from ....core.split import Move, Split
from ....home.models import model_folder
from ..api.client import Answer, Api
from .boards import change_board, open_board
from .making import change_service
from .objects import check_spec
from .parcel import Parcels, parcels_of
from .record import TRIES
from .refused import not_made
from .stored import StoredService
from .tried import StoredTrial, unnoted

#: Seconds between two tries to have other pods, where that failed.
_AGAIN = 30.0


async def change_wish(
    find: Callable[[], Awaitable[tuple[Api, StoredService]]],
    change: Callable[[ServiceSpec], ServiceSpec],
    expected: str,
    leave: Callable[[str], Awaitable[None]],
) -> ServiceSpec:
    """As `Hosting.change`, of the service that is found.

    Parameters
    ----------
    leave : called with its name before its pods go.

    Raises
    ------
    Conflict, Unavailable, InvalidSpec, Refused, StartFailed
    """
    left = False
    for attempt in range(TRIES):
        api, found = await find()
        before = found.spec
        if found.deployment is None or "deletionTimestamp" in found.deployment["metadata"]:
            problem = found.state().problem or Problem(what=f"It is {found.state().phase}", todo="Try again.")
            raise Unavailable(f"The service {before.name!r} can't be changed now", problem.what, problem.todo)
        if expected and before.revision != expected:
            raise _outdated(before.name)
        spec = change(before)
        try:
            if (trial := found.trial) is not None and _is_known(before, spec, trial):
                if await _decide(api, found, trial, spec):
                    return spec
                continue
            if not left:  # it takes a while: what is wanted then is looked at anew
                await leave(before.name)
                left = True
                continue
            check_spec(spec)
            parcels = await asyncio.to_thread(parcels_of, spec)
            await change_service(api, found, spec, parcels, keep=before if found.answers else found.before)
            return spec
        except Answer as answer:
            if answer.status != 409 or expected or attempt == TRIES - 1:
                raise not_made(spec, answer) from None
    raise _outdated(before.name)


def _is_known(before: ServiceSpec, spec: ServiceSpec, trial: StoredTrial) -> bool:
    """Whether pods that take part in a trial can do what is wanted as they are."""
    tried = trial.split.candidate
    if tried is None or spec.deployment != before.deployment:
        return False
    return spec.digest in (before.digest, tried.digest) and (
        spec.candidate is None or spec.candidate.salt == tried.salt
    )


async def _decide(api: Api, found: StoredService, trial: StoredTrial, spec: ServiceSpec) -> bool:
    """Have all pods do what is wanted now; False where somebody, a pod, say, has decided meanwhile."""
    seen = found.spec
    tried = seen.candidate
    assert tried is not None

    def decide(board: Board) -> Split | None:
        if board.split.revision != seen.revision:
            return None
        gone = spec.candidate is None and spec.digest != tried.digest
        return board.split.following(spec).model_copy(update={"past": trial.taken_back(tried)} if gone else {})

    return await change_board(api, found.ids.board(trial.salt), decide) is not None


def _outdated(name: str) -> Conflict:
    return Conflict(
        f"The service {name!r} isn't changed", "somebody has wanted something else since", "Look, and ask again."
    )


def not_ready(found: StoredService) -> CandidateState | None:
    """What is said of a version that was to be tried, and can't be."""
    candidate, problem = found.spec.candidate, found.state().problem
    if candidate is None or problem is None:
        return found.past
    words = {"words": f"isn't ready: {problem.what}", "problem": problem}
    return CandidateState(version=candidate.version, way=candidate.way, phase="back", since=time.time(), **words)


class Settling:
    """Makes good what pods have decided, of each service that somebody looks at. Belongs to one loop.

    Parameters
    ----------
    leave : called with the name of a service before its pods go.
    """

    def __init__(self, leave: Callable[[str], Awaitable[None]]) -> None:
        self._leave = leave
        self._working: dict[str, asyncio.Task[None]] = {}
        self._rests: dict[str, float] = {}
        #: Why it can't be done, by the name of the service.
        self._faults: dict[str, Problem] = {}
        #: What isn't in the trail yet, by the name of its board.
        self.unnoted: dict[str, tuple[Api, StoredService]] = {}

    def look(self, api: Api, found: StoredService) -> None:
        """A service was seen."""
        uid = str(found.record["metadata"]["uid"])
        for item in found.boards:
            if unnoted(item):
                self.unnoted[str(item["metadata"]["name"])] = (api, found)
        if found.stopped:
            return
        over = found.trial is not None and found.trial.over and found.deployment is not None
        if not over and not found.gathered:  # somebody has seen to it
            self._faults.pop(found.ids.service, None)
            return
        if uid in self._working or time.monotonic() < self._rests.get(uid, 0.0):
            return
        work = self._replace(api, found) if over else _open(api, found)
        task = self._working[uid] = asyncio.get_running_loop().create_task(self._settle(work, found, uid))
        task.add_done_callback(lambda _: self._working.pop(uid, None))

    async def _replace(self, api: Api, found: StoredService) -> None:
        """Have pods with one version."""
        await self._leave(found.ids.service)
        await settle(api, found)

    async def _settle(self, work: Coroutine[Any, Any, None], found: StoredService, uid: str) -> None:
        """Do it. Who looked first does."""
        try:
            await work
            self._faults.pop(found.ids.service, None)
        except Exception as error:  # noqa: BLE001 - lists go on, and say it
            if isinstance(error, Answer) and error.status == 409:
                return  # somebody has changed it meanwhile: it is looked at anew
            self._rests[uid] = time.monotonic() + _AGAIN
            told = error.error if isinstance(error, Answer) else error
            if not isinstance(told, MlopsError):
                told = StartFailed("What is decided of a version that is tried can't be made so", repr(error))
            self._faults[found.ids.service] = Problem.of(told)

    def told(self, state: ServiceState) -> ServiceState:
        """A state, with what is in the way."""
        fault = self._faults.get(state.name) if state.live else None
        return state if fault is None or state.problem is not None else state.model_copy(update={"problem": fault})

    async def done(self) -> None:
        """Wait for what is being made good."""
        while self._working:
            await asyncio.wait(list(self._working.values()))

    async def noted(self) -> list[tuple[ServiceState, Move]]:
        """What services have decided by themselves, and nobody has been told yet. It counts as told from now on. That
        of models which this machine doesn't have is for another one."""
        told = []
        for name, (api, found) in list(self.unnoted.items()):
            del self.unnoted[name]
            with contextlib.suppress(Answer, MlopsError):  # it is seen again by the next look
                if await asyncio.to_thread(model_folder(found.spec.model).numbers):
                    told += [(found.state(), move) for move in await _claim(api, name)]
        return told


async def _open(api: Api, found: StoredService) -> None:
    """Have the version answer that is tried: all pods have it. Raises `Answer`, `MlopsError`."""
    trial = found.trial
    assert trial is not None
    await open_board(api, found.ids.board(trial.salt))


async def settle(api: Api, found: StoredService) -> None:
    """Have pods with one version in place of those with two, of which one isn't tried any more. The wish is as it was.
    Raises `Answer`, `MlopsError`."""
    trial = found.trial
    assert trial is not None
    promoted = found.spec.digest != found.recorded.digest
    parcel = found.parcel_of("tried" if promoted else "version")
    if parcel is not None:
        await change_service(api, found, found.spec, Parcels(parcel), keep=None, past=trial.split.past)


async def _claim(api: Api, board: str) -> list[Move]:
    """What isn't noted, which is noted from now on: of all who look at the same time one gets it."""
    moves: list[Move] = []

    def claim(there: Board) -> Split | None:
        moves[:] = there.split.moves[there.split.noted :]
        return there.split.model_copy(update={"noted": len(there.split.moves)}) if moves else None

    await change_board(api, board, claim)
    return moves
