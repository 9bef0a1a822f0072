"""`jupyter mlops pipeline`: the steps of a notebook are shown, run and exported, with no kernel open."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from argparse import Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..client.words import put
from ..core.errors import InvalidInput, NotFound
from ..home.schedules import log_of, read_schedule, read_schedules
from .show import as_json

if TYPE_CHECKING:
    from ..pipelines.pipeline import Pipeline


async def pipeline(asked: Namespace) -> None:
    """`pipeline show NOTEBOOK`, `run NOTEBOOK`, `export NOTEBOOK`, `schedule NOTEBOOK --every SPAN`, `list`, …"""
    from ..pipelines.pipeline import pipeline as pipeline_of
    from ..pipelines.pipeline import unschedule

    if asked.what == "list":
        return await asyncio.to_thread(_list, asked)
    if not asked.notebook:
        raise InvalidInput(f"`pipeline {asked.what}` needs a notebook", "", "Name its file.")
    if asked.what == "unschedule":  # its file may be gone
        path = await asyncio.to_thread(os.path.realpath, asked.notebook)
        if not await asyncio.to_thread(unschedule, path, everywhere=True):
            raise NotFound(f"{path} doesn't run by itself", "", "See: jupyter mlops pipeline list")
        return put(f"{path} runs by itself no more.\n", sys.stdout)
    if asked.what == "log":
        return await asyncio.to_thread(_log, asked.notebook)
    made = pipeline_of(asked.notebook)
    if asked.what == "schedule":
        if not asked.every:
            raise InvalidInput("When is it to run?", "", "Say so: --every '1 day at 02:00'")
        more = {name: getattr(asked, name) for name in ("cluster", "place", "profile", "zone")}
        await asyncio.to_thread(made.schedule, asked.every, files=asked.files or (), **more)
    if asked.what == "export":
        program = made.export(asked.out)
        return put(f"Written: {program}\n" if asked.out else str(program), sys.stdout)
    if asked.what == "run":
        await _run(made, asked)
    if asked.json:
        return as_json({"notebook": str(made.notebook), "steps": [asdict(step) for step in made.steps]})
    return put(f"{await asyncio.to_thread(str, made)}\n", sys.stdout)


def _list(asked: Namespace) -> None:
    """The notebooks that run by themselves."""
    from ..pipelines.clock import ensure_clock
    from ..pipelines.show import told_of_schedule
    from ..pipelines.there import schedules_there

    ensure_clock()
    there = schedules_there()
    for problem in there.problems:
        put(f"There may be more: {problem.what}{f' ({problem.why})' if problem.why else ''}.\n", sys.stderr)
    schedules = [*read_schedules(), *there.found]
    if asked.json:
        return as_json([*schedules, *(each for each, _ in there.unheard)])
    lines = [f"{each.notebook}\n  {told_of_schedule(each)}" for each in schedules]
    lines += [f"{each.notebook}\n  {told_of_schedule(each, silence)}" for each, silence in there.unheard]
    return put("\n".join(lines or ["No notebook runs by itself."]) + "\n", sys.stdout)


def _log(notebook: str) -> None:
    """What the last run by itself printed."""
    from ..pipelines.there import log_there, schedule_in_any

    path = os.path.realpath(notebook)
    found = here if (here := read_schedule(path)) is not None else schedule_in_any(path)
    if found is None:
        raise NotFound(f"{path} doesn't run by itself", "", "See: jupyter mlops pipeline list")
    if found.began is None:
        return put(f"{path} hasn't run by itself so far.\n", sys.stderr)
    if here is None:
        return put("".join(f"{line}\n" for line in log_there(found)), sys.stdout)
    log = log_of(path)  # which isn't there when it has just begun
    return put(log.read_text(encoding="utf-8", errors="replace") if log.exists() else "", sys.stdout)


async def _run(made: Pipeline, asked: Namespace) -> None:
    """Run it. What it prints goes to standard error where JSON is asked for. Interrupted, it cancels what runs."""
    stream, began = sys.stderr if asked.json else sys.stdout, time.time()
    process = await asyncio.to_thread(made.start, since=asked.since, until=asked.until, cluster=asked.cluster)

    def follow() -> int:
        for line in process.lines():
            put(line, stream)
        return process.ended()

    try:
        code = await asyncio.to_thread(follow)
    except asyncio.CancelledError:
        await asyncio.to_thread(process.cancel)
        raise
    made.check(code, began)
