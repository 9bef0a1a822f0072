"""Where the checkpoints of a gang are kept, and whose it goes on from."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from ...core.errors import Conflict, InvalidSpec, UnknownRun, Unreadable
from ...core.run import FINAL, RunState
from ...home.runs import read_run, read_runs, run_folder
from ..clusters.session import Session
from .follow import state_now
from .options import Options

#: The variable of a profile's environment that names a folder of its volume, or a URL, for the checkpoints of its runs.
PLACE = "JUPYTER_MLOPS_CHECKPOINTS"


def places_of(state: RunState, others: list[str]) -> dict[str, Any]:
    """What a gang's seats must know of its checkpoints: where they are, and those of runs that it goes on from."""
    return {"root": state.checkpoints, "earlier": others, "elastic": state.least_seats is not None}


async def place_of(session: Session, run: str, asked: str | None) -> str:
    """The folder or URL for the checkpoints of a run; empty where there is none that all workers see.

    Parameters
    ----------
    asked : the folder or URL that its user wants.

    Raises
    ------
    InvalidSpec : it can't be one.
    """
    here = session.backend.writes_home
    if not asked and here:
        return str(run_folder(run).checkpoints)
    base = asked or (await session.backend.spec(session.id)).profile.environment.get(PLACE, "")
    if base and "://" not in base:
        if not here and not base.startswith("/"):
            why = "the workers are elsewhere, where a path has to be a whole one"
            raise InvalidSpec(f"checkpoint can't be {base!r}", why, "Use a path of a volume, or a URL like s3://….")
        base = _whole(base) if here else base
    return f"{base.rstrip('/')}/{run}" if base else ""


async def earlier(digest: str, options: Options) -> list[str]:
    """Where the checkpoints are that a run goes on from: those of the runs of the same code that did not come to their
    end, the last one first; or of the one run that its user names.

    Raises
    ------
    UnknownRun, Unreadable : that run isn't known.
    Conflict : it has no checkpoints.
    """
    if options.fresh:
        return []
    if options.resume is not None:
        named = await asyncio.to_thread(read_run, options.resume)
        if not named.checkpoints:
            raise Conflict(f"The run {named.name!r} can't be resumed", "it has no place for checkpoints", "")
        return [named.checkpoints]
    found = []
    for record in await asyncio.to_thread(_alike, digest):
        state = record if record.phase in FINAL else await _now(record)
        if state.phase == "done":
            break
        if state.phase in FINAL and record.checkpoints:
            found.append(record.checkpoints)
    return found


async def earlier_trials(sweep: str | None) -> list[str]:
    """Where the trials of the sweep have saved checkpoints whose run, `sweep`, another one goes on with: a trial that
    had not come to its end there goes on from its own."""
    if sweep is None:
        return []
    try:
        known = await asyncio.to_thread(read_run, sweep)
    except (UnknownRun, Unreadable):  # it was removed just now
        return []
    return [known.checkpoints] if known.checkpoints else []


def _whole(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - a link may lead elsewhere on a worker


def _alike(digest: str) -> list[RunState]:
    return [record for record in read_runs() if digest and record.digest == digest and record.kind == "gang"]


async def _now(record: RunState) -> RunState:
    """What became of a run that was not over when it was last heard of."""
    try:
        return await state_now(record.id)
    except UnknownRun:  # it was removed just now
        return record
