"""The result of a detached run, from the files that its tasks wrote, or from the cluster's memory."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

from ..core.errors import RunLost
from ..core.run import RunState
from .collected import Results
from .outcomes import values_of
from .portal import portal
from .record import folder_of
from .session import session


class Fetched:
    """What a detached run gave so far.

    Parameters
    ----------
    record : the run; it may still be going on.
    """

    def __init__(self, record: RunState) -> None:
        self._record = record
        self._waiting: dict[int, dict[str, Any]] = {}
        self._seen: set[str] = set()
        self._next = 0

    @property
    def given(self) -> dict[str, Any]:
        """What the task of a cell or function gave.

        Raises
        ------
        RunLost : it isn't there any more.
        """
        parts = list(self._parts())
        if not parts:
            raise self._gone()
        return parts[0]

    def value(self) -> Any:
        """The whole result."""
        if self._record.kind != "map":
            return self.value_of(self.given)
        parts = sorted(self._parts(), key=lambda part: int(part["start"]))
        values = Results()
        for part in parts:
            values += values_of(part)
        if self._record.total is not None and len(values) < self._record.total:
            raise self._gone()
        return values

    def more(self) -> list[Any]:
        """The results of a map that have come since the last call, in order."""
        for path in folder_of(self._record.id).joinpath("result").glob("*.pkl"):
            if path.name not in self._seen:
                self._seen.add(path.name)
                part = _read(path.read_bytes())
                self._waiting[part["start"]] = part
        values: list[Any] = []
        while self._next in self._waiting:
            piece = values_of(self._waiting.pop(self._next))
            self._next += len(piece)
            values += piece
        return values

    @staticmethod
    def value_of(given: dict[str, Any]) -> Any:
        """The value of a cell's last expression, or of a function."""
        return pickle.loads(given["value"]) if given.get("value") is not None else None  # noqa: S301 - the user's own

    def _parts(self) -> Iterator[dict[str, Any]]:
        if self._record.kept:
            found = list(load_parts(self._record.id))
            if found:
                return iter(found)
        return iter(portal().call(_from_memory(self._record)))

    def _gone(self) -> RunLost:
        return RunLost(
            f"The result of {self._record.name!r} is gone",
            f"its parts are neither on this disk nor in the memory of {self._record.cluster!r}",
            "Run it again.",
        )


def load_parts(run: str) -> Iterator[dict[str, Any]]:
    """The parts that a run's tasks wrote."""
    for path in sorted((folder_of(run) / "result").glob("*.pkl")):
        yield _read(path.read_bytes())


def _read(data: bytes) -> dict[str, Any]:
    part: dict[str, Any] = pickle.loads(data)  # noqa: S301 - written by the user's own run into their own folder
    return part


async def _from_memory(record: RunState) -> list[dict[str, Any]]:
    from distributed import Future

    opened = await session(record.cluster)
    prefix = f"mlrun-{record.id}-"
    scheduler: Any = opened.client.scheduler
    holders = await scheduler.who_has()
    keys = [key for key in holders if isinstance(key, str) and key.startswith(prefix)]
    futures: list[Any] = [Future(key, opened.client) for key in keys]
    parts: list[dict[str, Any]] = await opened.client.gather(futures)
    return parts
