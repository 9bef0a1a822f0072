"""How far each rank of a gang is: its seat reads that from a file that both have in memory, so that a step costs the
rank no message."""

from __future__ import annotations

import contextlib
import statistics
import struct
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .buffers import common
from .whereabouts import RankLooks, exchanges

#: Of a rank: its last step and how many there will be (-1 for none), when the step was made on the machine's monotonic
#: clock, how many it has made; the median and the longest of their times, and the median for a step of its own count,
#: in seconds; whether it saves a checkpoint; and whether its code tells each step on purpose. Then how often its code
#: was looked at, where it was, and how often nobody could say so, as `core.whereabouts` has it.
_LOOKED = ("looks", "talking", "loading", "reading", "blind")
_FIELDS = ("step", "total", "seen", "count", "usual", "longest", "pace", "saving", "watched", *_LOOKED)

_RECORD = struct.Struct(f"={len(_FIELDS)}d")

#: Steps whose times are remembered, seconds between two looks at them, and the first steps, whose times tell nothing:
#: code is compiled in them.
LATEST, LOOK, WARM = 50, 0.2, 3

#: Seconds after which ranks are told of again though they made no step.
STILL = 5.0


class StepsOut:
    """A rank's side.

    Parameters
    ----------
    path : of the file.
    local : the rank's number among those of its seat.
    """

    def __init__(self, path: str, local: int) -> None:
        self._shared, self._at = common(path), local * _RECORD.size
        self._known = dict.fromkeys(_FIELDS, 0.0) | {"step": -1.0, "total": -1.0}
        self._times: deque[float] = deque(maxlen=LATEST)
        self._paces: deque[float] = deque(maxlen=LATEST)
        self._looked = 0.0
        self._looks: RankLooks | None = None

    def step(self, step: int, total: int | None = None, watched: bool = False) -> None:
        """The rank has made a step. The same one again is a sign of life, and not another step."""
        known, now = self._known, time.monotonic()
        took = now - known["seen"]
        if known["count"] >= WARM:
            known["longest"] = max(known["longest"], took)
        if step != known["step"]:
            if known["count"] >= WARM:
                self._times.append(took)
                if step > known["step"]:
                    self._paces.append(took / (step - known["step"]))
            known["step"], known["count"] = float(step), known["count"] + 1
        known["seen"] = now
        if total is not None:
            known["total"] = float(total)
        if watched:
            known["watched"] = 1.0
        if now - self._looked > LOOK and self._times:
            self._looked, known["usual"] = now, statistics.median(self._times)
            known["pace"] = statistics.median(self._paces) if self._paces else 0.0
            if self._looks is None and exchanges():
                self._looks = RankLooks(self._count)
        self._write()

    @contextlib.contextmanager
    def saving(self, step: int) -> Iterator[None]:
        """The rank saves a checkpoint: no step is made meanwhile, and none is missing."""
        began, self._known["saving"] = time.monotonic(), 1.0
        self._write()
        try:
            yield
        finally:
            known = self._known
            known["saving"] = 0.0
            if known["count"]:
                known["seen"] += time.monotonic() - began
            if step > known["step"]:
                self.step(step)
            self._write()

    def _count(self, where: str, blind: bool) -> None:
        """Its code was looked at; that is told with its next step."""
        known = self._known
        if known["saving"]:
            return
        for name in ("looks", where, *(["blind"] if blind else [])):
            if name in known:
                known[name] += 1

    def _write(self) -> None:
        _RECORD.pack_into(self._shared, self._at, *self._known.values())


class StepsIn:
    """A seat's side.

    Parameters
    ----------
    path : of the file, which is made.
    ranks : how many the seat has.
    """

    def __init__(self, path: str, ranks: int) -> None:
        Path(path).write_bytes(bytes(_RECORD.size * ranks))
        self._shared, self._ranks = common(path), ranks
        self._told: list[tuple[Any, ...]] = []
        self._when = 0.0

    def news(self) -> list[dict[str, Any]] | None:
        """How far each rank is, and for how many seconds already (`age`); None where nothing is to be told now."""
        records = [_RECORD.unpack_from(self._shared, local * _RECORD.size) for local in range(self._ranks)]
        now = time.monotonic()
        if records == self._told and now - self._when < STILL:
            return None
        self._told, self._when = records, now
        return [_told(dict(zip(_FIELDS, record, strict=True)), now) for record in records]


def _told(known: dict[str, float], now: float) -> dict[str, Any]:
    made = known["count"] > 0
    return {
        "step": int(known["step"]) if made else None,
        "total": int(known["total"]) if made and known["total"] >= 0 else None,
        "age": now - known["seen"] if made else 0.0,
        "count": int(known["count"]),
        "usual": known["usual"],
        "longest": known["longest"],
        "pace": known["pace"],
        "saving": known["saving"] > 0,
        "watched": known["watched"] > 0,
        **{name: int(known[name]) for name in _LOOKED},
    }
