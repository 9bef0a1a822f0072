"""`jupyter mlops costs`: what a month cost, and its exports."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Sequence

from ..client.costs.gather import all_bills
from ..client.costs.report import CostReport
from ..client.words import cost_so_far
from ..core.costline import CostLine
from ..core.errors import Unavailable
from ..core.month import Month
from ..core.words import count, listed, quantity
from ..places.profiles import all_profiles
from .show import as_json, table


async def costs(asked: Namespace) -> None:
    """`costs`. Fails where a place did not answer: what is told then may not be all there is."""
    now = time.time()
    month = Month.at(now) if asked.month is None else Month.typed(asked.month)
    found = CostReport(month, *await all_bills(), now, all_profiles())
    if asked.export:
        files = found.export(asked.export, asked.format)
        _say(f"{listed([str(file) for file in files])}: {count(len(found.rows), 'row')} of {found.title}.")
    elif asked.json:
        lines = found.lines(asked.by)
        as_json({"sums": found.sums, "lines": lines, "trends": found.trends, "followed": found.followed})
    else:
        _say(str(found))
        if lines := found.lines(asked.by):
            _say("\n" + _table(asked.by, lines))
    for silent in found.silent[:1]:
        problem = silent.described(now)
        raise Unavailable(problem.what, problem.why, problem.todo)


def _table(by: str, lines: Sequence[CostLine]) -> str:
    """Costs, a line for each name; runs have no hours of their own."""
    hours = by != "run"
    head = (by.upper(), *(["CPU-HOURS"] if hours else []), "COST")
    rows = [(line.name, *([quantity(line.usage.cpu_hours)] if hours else []), cost_so_far(line.cost)) for line in lines]
    return table(head, rows, right="CPU-HOURS")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
