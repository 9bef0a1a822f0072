"""The last lines of each log of a cluster, kept with its history when it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..api.client import Answer, Api, Json, Unreachable
from .keeper import unpacked

#: The file of the history that has them, and lines of each log.
FILE, LINES = "logs.jsonl", 200
#: The scheduler's name among the workers'.
SCHEDULER = ""


async def write(api: Api, folder: Path, pod: str, workers: Mapping[str, list[str]]) -> None:
    """Put them into the controller's folder, the scheduler's at the end: what has no room is left out from the start.

    Parameters
    ----------
    pod : the scheduler's, in which this runs.
    workers : the last lines of each worker's log.
    """
    try:
        text = await api.text(
            api.path("pods", pod) + "/log", {"tailLines": LINES, "container": "scheduler"}, timeout=5.0
        )
    except (Answer, Unreachable):  # the end of a cluster doesn't wait for its log
        text = ""
    logs = [*workers.items(), (SCHEDULER, text.splitlines())]
    lines = [json.dumps({"worker": worker, "lines": log}) for worker, log in logs]
    (folder / FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(history: Json) -> dict[str, list[str]]:
    """The lines by worker, out of a history; the scheduler's are those of `SCHEDULER`."""
    kept = [json.loads(line) for line in unpacked(history, FILE).splitlines()]
    return {each["worker"]: each["lines"] for each in kept}
