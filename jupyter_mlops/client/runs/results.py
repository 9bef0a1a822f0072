"""The result of a detached run: from its folder, from its cluster's memory, or from what the place kept of it."""

from __future__ import annotations

import contextlib
import pickle
import time
from collections.abc import Iterator
from typing import Any

from ...agent import seals
from ...controller.runs.results import SMALL
from ...core.errors import ClusterEnded, NotFound, RunLost
from ...core.run import RunState
from ...home.runs import run_folder
from ..clusters.kernel import kernel, loop_thread
from ..clusters.listing import placed
from .copies import Part, bring_home, parts_of
from .execution.arrived import arrived
from .execution.outcomes import values_of
from .execution.result_buffer import Results

#: Seconds between two looks for more results on a cluster elsewhere.
LOOK = 0.5


class Fetched:
    """What a detached run gave so far.

    Parameters
    ----------
    record : the run; it may still be going on.
    """

    def __init__(self, record: RunState) -> None:
        self._record = record
        self._waiting: dict[int, Part] = {}
        self._seen: set[str] = set()
        self._next = 0
        self._looked = 0.0

    @property
    def given(self) -> Part:
        """What the task of a cell or function gave.

        Raises
        ------
        RunLost : it isn't there any more.
        ClusterUnreachable : nobody can say.
        """
        return _leading(self._parts())

    @property
    def of_ranks(self) -> list[Part]:
        """What each rank of a gang gave. Raises as `given`."""
        parts = self._parts()
        others = {rank: given for part in parts for rank, given in part["ranks"].items()}
        return [_leading(parts), *(others[rank] for rank in sorted(others))]

    def value(self) -> Any:
        """The whole result. Raises as `given`."""
        if self._record.kind != "map":
            return self.value_of(self.given)
        values = Results()
        for part in sorted(self._parts(), key=lambda part: int(part["start"])):
            values += values_of(part)
        return values

    def more(self) -> list[Any]:
        """The results of a map that have come since the last call, in order."""
        if self._elsewhere() and time.monotonic() - self._looked > LOOK:
            with contextlib.suppress(ClusterEnded, NotFound):  # what there is here is given first
                loop_thread().call(_bring_home(self._record))
            self._looked = time.monotonic()
        for path in run_folder(self._record.id).parts():
            if path.name not in self._seen:
                self._seen.add(path.name)
                part = _read(self._record.id, path.read_bytes())
                self._waiting[part["start"]] = part
        values: list[Any] = []
        while self._next in self._waiting:
            piece = values_of(self._waiting.pop(self._next))
            self._next += len(piece)
            values += piece
        return values

    def rest(self) -> list[Any]:
        """The results of a map that is over which `more` didn't give. Raises as `given`."""
        total = self._record.total
        return [] if total is None or self._next >= total else list(self.value()[self._next :])

    @staticmethod
    def value_of(given: Part) -> Any:
        """The value of a cell's last expression, or of a function."""
        return arrived(given["value"]) if given.get("value") is not None else None

    def _parts(self) -> list[Part]:
        """All parts.

        Raises
        ------
        RunLost : some are nowhere.
        """
        for source in (self._in_folder, self._on_cluster, self._kept_by_place):
            found = source()
            if self._whole(found):
                return found
        raise self._gone()

    def _whole(self, parts: list[Part]) -> bool:
        if self._record.kind == "gang":
            return bool(parts) and len(parts) == parts[0].get("seats", self._record.seats)
        if self._record.kind != "map" or self._record.total is None:
            return bool(parts)
        return sum(part["n"] for part in parts) >= self._record.total and (bool(parts) or not self._record.total)

    def _in_folder(self) -> list[Part]:
        return list(load_parts(self._record.id))

    def _on_cluster(self) -> list[Part]:
        try:
            if self._elsewhere():
                loop_thread().call(_bring_home(self._record))
                return self._in_folder()
            return self._in_folder() + loop_thread().call(_in_memory(self._record))
        except (ClusterEnded, NotFound):  # it can't be there any more
            return []

    def _kept_by_place(self) -> list[Part]:
        try:
            kept = loop_thread().call(_kept(self._record))
        except NotFound:
            return []
        if kept and not run_folder(self._record.id).key():
            raise RunLost(
                f"The result of {self._record.name!r} can't be told from somebody else's",
                "its cluster has ended, others may write where it is kept, and the key of its seal isn't in this home",
                "Fetch it where the run was started, or run it again.",
            )
        return [_read(self._record.id, part) for part in kept]

    def _elsewhere(self) -> bool:
        """Whether its cluster is one that doesn't write into this home."""
        return not self._record.kept

    def _gone(self) -> RunLost:
        places = "its parts are neither on this disk nor in the memory of"
        where = places if self._record.kept else "it was in the memory of"
        return RunLost(
            f"The result of {self._record.name!r} is gone",
            f"{where} {self._record.cluster!r}; only results up to {SMALL // 1000} kB outlive a cluster elsewhere",
            "Run it again, and fetch its result while the cluster lives, or let the code write it to a storage.",
        )


def load_parts(run: str) -> Iterator[Part]:
    """The parts that are in the run's folder: its tasks wrote them, or they were fetched."""
    for path in run_folder(run).parts():
        yield _read(run, path.read_bytes())


def _read(run: str, data: bytes) -> Part:
    """A part of the result of `run`, whose seal is right.

    Raises
    ------
    RunLost : it isn't.
    """
    key = run_folder(run).key()
    try:
        part: Part = seals.plain(seals.opened(data, key, run) if key else data)
    except (seals.BrokenSeal, pickle.UnpicklingError) as error:
        raise RunLost(
            f"A part of the result of the run {run} was not made by it", str(error), "Run it again, and ask who could."
        ) from error
    return part


async def _bring_home(record: RunState) -> None:
    await bring_home(await kernel().sessions.open(record.ran_on), record.id)


async def _in_memory(record: RunState) -> list[Part]:
    """Where a disk was full, the rest stayed on the cluster."""
    return [
        part
        for part in await parts_of(await kernel().sessions.open(record.ran_on), record.id)
        if not part.get("written")
    ]


async def _kept(record: RunState) -> list[bytes]:
    backend, cluster = await placed(record.ran_on)
    return await backend.results(cluster, record.id)


def _leading(parts: list[Part]) -> Part:
    """The part of rank 0, of a gang's; the only one otherwise."""
    return next((part for part in parts if part.get("leads")), parts[0])
