"""How things are timed: ours and the peer's in turn, so that a machine that slows down slows both; medians."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Result:
    """One line of the table. `ratio` is ours over the peer's; `goal` is written as it is judged, e.g. "ratio ≤ 1.1".

    With `longer` the peer took more than its figure, and nobody knows how much more. The ratio is then an upper bound,
    and `met` is None where that does not tell.
    """

    name: str
    unit: str
    ours: float
    peer: float | None
    peer_name: str
    ratio: float | None
    goal: str
    met: bool | None
    note: str = ""
    longer: bool = False


class Longer(float):
    """Seconds after which a peer was waited for no more."""


def until_late(wait: Callable[[], object], patience: float, since: float | None = None) -> float:
    """Seconds until `wait` returns, counted from `since`; `Longer` when it gives up with a TimeoutError.

    Parameters
    ----------
    wait : waits for a peer, at most `patience` seconds.
    since : of `time.perf_counter`; now unless told.
    """
    started = time.perf_counter() if since is None else since
    try:
        wait()
    except (TimeoutError, asyncio.TimeoutError):  # two of them before Python 3.11
        return Longer(patience)
    return time.perf_counter() - started


def timed(do: Callable[[], object]) -> float:
    """Seconds that `do` takes."""
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def in_turn(ours: Callable[[], float], peer: Callable[[], float], rounds: int) -> tuple[float, float]:
    """The medians of both, measured in turn; each returns its own figure."""
    pairs = [(ours(), peer()) for _ in range(rounds)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def compared(name: str, unit: str, ours: float, peer: float, peer_name: str, at_most: float, note: str = "") -> Result:
    """A result that is judged by its ratio to the peer, which may be `Longer`."""
    ratio, longer = ours / peer, isinstance(peer, Longer)
    met = True if ratio <= at_most else None if longer else False
    return Result(name, unit, ours, float(peer), peer_name, ratio, f"ratio ≤ {at_most:.3g}", met, note, longer)


def bounded(name: str, unit: str, ours: float, at_most: float, note: str = "") -> Result:
    """A result that is judged by itself."""
    return Result(name, unit, ours, None, "", None, f"≤ {at_most:g} {unit}", ours <= at_most, note)


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    return {
        "cpus": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def write(result: Result) -> None:
    """Put `result` into results.json at once, in place of the one of its name; the others stay."""
    old = json.loads(RESULTS.read_text())["results"] if RESULTS.exists() else []
    rows = sorted([asdict(result), *(row for row in old if row["name"] != result.name)], key=lambda row: row["name"])
    RESULTS.write_text(json.dumps({"machine": machine(), "results": rows}, indent=1, ensure_ascii=False) + "\n")
