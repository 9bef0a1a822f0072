"""Copies in this home of what clusters elsewhere keep of a run: its record, its journal, and its result.

On this machine the controller writes into the run's folder itself. A cluster in another place can't: whoever follows
the run from here does it, so that what is known of the run doesn't end with the cluster.
"""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ... import home
from ...agent import seals
from ...core.curve import Copied, CurveLine
from ...core.errors import ClusterUnreachable, MlopsError, Unreadable
from ...core.run import FINAL, Entry, RunState
from ...home.runs import RunFolder, run_folder
from .record import in_background

if TYPE_CHECKING:
    from ..clusters.session import Session

#: Bytes of a result that are fetched at once: what passes through the scheduler, and is in memory here.
CHUNK = 16_000_000

#: Parts of a result that are fetched at once.
PARTS = 200

#: Bytes of a result up to which it is brought home when the run is over, without being asked for.
UNASKED = 256_000_000

#: Seconds between two copies of what a run has logged; and how often a silent cluster is asked for the last of it.
POINTS, LAST = 2.0, 3

#: Seconds that the end of a run waits for what is written of it.
WRITTEN = 10.0

#: How often parts are asked for whose worker died: others compute them again.
ASKED = 60

Part = dict[str, Any]


class Copy:
    """The folder of a run that another place's cluster runs.

    Parameters
    ----------
    run : its id.
    """

    def __init__(self, run: str) -> None:
        self._folder = run_folder(run)
        self._phase = ""
        self._entries: int | None = None
        #: What of its points is here.
        self._copied: Copied | None = None
        self._asked = 0.0
        #: The last write that was asked for; all are done in their order.
        self._last: Future[None] | None = None

    def take(self, state: RunState, entries: list[Entry]) -> None:
        """The run is now this, and said that. Writes in the background."""
        if entries or state.phase != self._phase or state.phase in FINAL:
            self._phase = state.phase
            self._last = in_background(self._write, state, entries)

    async def written(self) -> None:
        """Return when all that was taken is in the folder, or its disk is too slow to be waited for."""
        if self._last is not None:
            await asyncio.wait({asyncio.wrap_future(self._last)}, timeout=WRITTEN)

    async def take_points(self, session: Session, last: bool = False) -> None:
        """Copy what was logged since the last time, every few seconds, or for the `last` time. A cluster that doesn't
        tell is asked again the next time; the last time, a few times."""
        if not last and time.monotonic() - self._asked < POINTS:
            return
        self._asked = time.monotonic()
        if self._copied is None:
            self._copied = await asyncio.to_thread(self._folder.copied_points)
        for _ in range(LAST if last else 1):
            try:
                seq, lines = await session.link.run_points(self._folder.run, self._copied.seq)
            except ClusterUnreachable:
                continue
            except MlopsError:  # it has none to tell
                return
            if lines := self._copied.news(seq, lines):
                self._last = in_background(self._write_points, lines)
            return

    def _write_points(self, lines: list[CurveLine]) -> None:
        self._folder.make().add_to_curves(lines)

    def _write(self, state: RunState, entries: list[Entry]) -> None:
        folder = self._folder.make()
        folder.write_record(state.model_copy(update={"repeatable": folder.payload.exists()}))
        if self._entries is None:
            self._entries = max((entry.seq for entry in folder.journal()), default=0)
        new = [entry for entry in entries if entry.seq > self._entries]
        if new:
            self._entries = new[-1].seq
            folder.add_to_journal(new)


async def bring_home(session: Session, run: str, most: int | None = None) -> bool:
    """Write the parts of a detached run's result that are in its cluster's memory into the run's folder.

    Returns whether those are in the folder now.

    Parameters
    ----------
    most : bytes; nothing is fetched of a larger result. None: no limit.

    Raises
    ------
    UnknownRun, ClusterUnreachable, ClusterEnded : they can't be had.
    StorageFull, Refused : they can't be written.
    """
    folder = run_folder(run)
    home.private(folder.result)
    known = {path.stem for path in folder.parts()}
    sizes = await session.link.run_parts(run)
    if most is not None and sum(sizes.values()) > most:
        return False
    async for key, part in _parts(session, {key: sizes[key] for key in sizes if str(_number(key)) not in known}):
        await asyncio.to_thread(_write_part, folder, key, part)
    return True


async def parts_of(session: Session, run: str) -> list[Part]:
    """The parts of a detached run's result that are in its cluster's memory. Raises as `bring_home`."""
    return [part async for _, part in _parts(session, await session.link.run_parts(run))]


async def _parts(session: Session, sizes: dict[str, int]) -> AsyncIterator[tuple[str, Part]]:
    """Few at a time, so that neither the scheduler nor this process holds all of them."""
    for keys in _chunks(sizes):
        for key, part in (await _gathered(session, keys)).items():
            yield key, part


def _chunks(sizes: dict[str, int]) -> list[list[str]]:
    chunks: list[list[str]] = []
    room = 0
    for key in sorted(sizes, key=_number):
        if not chunks or room < sizes[key] or len(chunks[-1]) >= PARTS:
            chunks.append([])
            room = CHUNK
        chunks[-1].append(key)
        room -= sizes[key]
    return chunks


async def _gathered(session: Session, keys: list[str]) -> dict[str, Part]:
    """Through the scheduler: workers can't be reached from everywhere."""
    scheduler: Any = session.client.scheduler
    for _ in range(ASKED):
        try:
            answer = await scheduler.gather(keys=keys)
        except (OSError, asyncio.TimeoutError) as error:
            raise ClusterUnreachable(f"The result can't be fetched from {session.name!r}", str(error)) from error
        if answer["status"] == "OK":
            return dict(answer["data"])
        await asyncio.sleep(0.5)
    raise ClusterUnreachable(
        f"The result can't be fetched from {session.name!r}",
        "the worker that had it is gone, and nobody has computed it again yet",
        "Try again later.",
    )


def _number(key: str) -> int:
    """The number of the task of that key, as the cluster told it; raises `Unreadable`."""
    digits = key.rpartition("-")[2]
    if not (digits.isascii() and digits.isdecimal()):
        raise Unreadable("The cluster's list of results can't be read", f"{key!r} is no task of a run")
    return int(digits)


def _write_part(folder: RunFolder, key: str, part: Part) -> None:
    number, data = _number(key), pickle.dumps(part, protocol=5)
    home.write(folder.part(number), seals.seal(data, folder.key(), folder.run))
