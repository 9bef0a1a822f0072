"""`jupyter mlops score` and `replay`: a version answers all rows of files, or what a service was asked."""

from __future__ import annotations

import asyncio
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..client.clusters.kernel import kernel
from ..client.words import put, sentence
from ..core.errors import ItemsFailed
from ..core.run import FINAL, RunState
from ..core.words import count
from .show import as_json

if TYPE_CHECKING:
    from ..client.runs.execution.channel import Shown

#: Seconds between two lines that say how far it is.
_EVERY = 5.0


class ScoringLines:
    """As `View`: prints, and on standard error a line now and then."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _EVERY

    def show(self, state: RunState | None, entries: Sequence[Shown]) -> None:
        """As `View.show`."""
        from ..client.runs.view import write

        write(entries)
        if state is not None and state.phase not in FINAL and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            put(f"{state.name}: {sentence(state)}\n", sys.stderr)

    def end(self, state: RunState) -> None:
        """As `View.end`."""


async def score(asked: Namespace) -> None:
    """`score MODEL[@VERSION] FILES … --out FOLDER`. Interrupted, it is cancelled: run again, it goes on."""
    from ..registry.scoring.api import score as begin  # numpy, and what else: not for other commands
    from ..tracking.recorder import record

    kernel().observe(record)
    keys = None if asked.keys is None else [name for name in asked.keys.split(",") if name]
    how = {"keys": keys, "chances": asked.chances, "fresh": asked.fresh, "cluster": asked.cluster}
    how |= {"detach": asked.detach, "quiet": asked.json}
    scores = await asyncio.to_thread(begin, asked.model, asked.files, out=asked.out, **how)
    if asked.detach and scores.run is not None:
        return as_json({"run": scores.run.id}) if asked.json else put(f"It is run {scores.run.id}.\n", sys.stdout)
    try:
        result = await asyncio.to_thread(scores.result, None, ScoringLines())
    except asyncio.CancelledError:
        scores.cancel("it was interrupted")
        raise
    if asked.json:
        told = {name: getattr(result, name) for name in ("version", "folder", "rows", "parts", "scored", "seconds")}
        failed = [{"part": each.item, "error": each.error} for each in result.failed]
        as_json({**told, "cost": result.cost, "per_thousand": result.per_thousand, "failed": failed})
    else:
        put(f"{result}\n", sys.stdout)
    if result.failed:
        raise ItemsFailed(
            f"{count(len(result.failed), 'part')} couldn't be scored",
            f"{result.failed[0].item}: {result.failed[0].error.splitlines()[0]}",
            "Run it again to try them again.",
        )
    return None


async def replay(asked: Namespace) -> None:
    """`replay MODEL@VERSION [--hours N] [--service NAME]`. Interrupted, it is cancelled."""
    from ..serving.replay.api import replay as begin  # numpy, and what else: not for other commands
    from ..tracking.recorder import record

    kernel().observe(record)
    how = {"hours": asked.hours, "since": asked.since, "service": asked.service, "cluster": asked.cluster}
    under_way = await asyncio.to_thread(lambda: begin(asked.model, quiet=asked.json, **how))
    try:
        result = await asyncio.to_thread(under_way.result, None, ScoringLines())
    except asyncio.CancelledError:
        under_way.cancel("it was interrupted")
        raise
    if asked.json:
        as_json(result.told())
    else:
        put(f"{result}\n", sys.stdout)
