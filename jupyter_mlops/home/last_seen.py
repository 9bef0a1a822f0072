"""Which clusters a place had when it answered last, so that a place that is silent is not taken for an empty one."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from .. import home
from ..core.base import Record, Seconds, Time
from ..core.cluster import ClusterState
from ..core.errors import MlopsError
from ..core.formats import FORMAT

#: Seconds between two writes: lists are made every two seconds, and an age is told in seconds.
EVERY: Seconds = 5.0


class LastSeen(Record):
    """The live clusters of a place, by which way it was reached, and when it told of them."""

    format: int = FORMAT
    time: Time
    way: str
    clusters: list[ClusterState]


def remember(place: str, way: str, states: list[ClusterState]) -> None:
    """Keep what `place`, reached by `way`, told now. A disk that can't be written costs this memory, nothing else."""
    with contextlib.suppress(MlopsError, OSError):
        live = [state.model_copy(update={"timeline": []}) for state in states if state.phase != "ended"]
        path = _path(place)
        before = recall(place, way)
        if (before is None and not live) or (before is not None and 0 <= time.time() - before.time < EVERY):
            return  # who has no clusters there needs no file
        home.write(path, LastSeen(time=time.time(), way=way, clusters=live).model_dump_json())


def recall(place: str, way: str | None) -> LastSeen | None:
    """What `place`, reached by `way` (None: by any), told last; None when it never did, or nobody can read it."""
    try:
        known = home.read(LastSeen, _path(place))
    except (MlopsError, OSError):
        return None
    return known if way is None or known.way == way else None


def _path(place: str) -> Path:
    return home.private(home.home() / "last-seen") / f"{place}.json"
