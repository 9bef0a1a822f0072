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
from ..home.schedules import read_schedules, remove_schedule
from .show import as_json

if TYPE_CHECKING:
    from ..pipelines.pipeline import Pipeline


async def pipeline(asked: Namespace) -> None:
    """`pipeline show NOTEBOOK`, `run NOTEBOOK`, `export NOTEBOOK`, `schedule NOTEBOOK --every SPAN`, `list`, …"""
    from ..pipelines.pipeline import pipeline as pipeline_of

    if asked.what == "list":
        return _list(asked)
    if not asked.notebook:
        raise InvalidInput(f"`pipeline {asked.what}` needs a notebook", "", "Name its file.")
    if asked.what == "unschedule":  # its file may be gone
        path = await asyncio.to_thread(os.path.realpath, asked.notebook)
        if not remove_schedule(path):
            raise NotFound(f"{path} doesn't run by itself", "", "See: jupyter mlops pipeline list")
        return put(f"{path} runs by itself no more.\n", sys.stdout)
    made = pipeline_of(asked.notebook)
    if asked.what == "schedule":
        if not asked.every:
            raise InvalidInput("When is it to run?", "", "Say so: --every '1 day at 02:00'")
        await asyncio.to_thread(made.schedule, asked.every, cluster=asked.cluster)
    if asked.what == "export":
        program = made.export(asked.out)
        return put(f"Written: {program}\n" if asked.out else str(program), sys.stdout)
    if asked.what == "run":
        await _run(made, asked)
    if asked.json:
        return as_json({"notebook": str(made.notebook), "steps": [asdict(step) for step in made.steps]})
    return put(f"{made}\n", sys.stdout)


def _list(asked: Namespace) -> None:
    """The notebooks that run by themselves."""
    from ..pipelines.clock import ensure_clock
    from ..pipelines.show import told_of_schedule

    ensure_clock()
    schedules = read_schedules()
    if asked.json:
        return as_json(schedules)
    lines = [f"{each.notebook}\n  {told_of_schedule(each)}" for each in schedules]
    return put("\n".join(lines or ["No notebook runs by itself."]) + "\n", sys.stdout)


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
