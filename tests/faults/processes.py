"""A cluster's processes, as the machine knows them."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from jupyter_mlops.places.local import processes

from ..places.place import LocalPlace, workers_up

#: Within this many seconds nothing of a cluster may be left.
GONE = 150.0


def record(place: LocalPlace, name: str) -> dict[str, Any]:
    """The record in the cluster's folder."""
    found: dict[str, Any] = json.loads((folder(place, name) / "record.json").read_text())
    return found


def folder(place: LocalPlace, name: str) -> Path:
    """The cluster's folder."""
    return place.home / "clusters" / name


def change(place: LocalPlace, name: str, **fields: Any) -> None:
    """Write other things into the record."""
    path = folder(place, name) / "record.json"
    path.write_text(json.dumps({**record(place, name), **fields}))


async def running(place: LocalPlace, workers: int = 1, **fields: Any) -> tuple[str, list[processes.Process]]:
    """A new cluster with its workers up: its name, and all of its processes."""
    spec = place.spec(**fields)
    await place.backend.start(spec)
    view = await workers_up(place.backend, spec.name, workers)
    kept = record(place, spec.name)
    pids = [kept["scheduler"]["pid"], kept["forkserver"]["pid"], *[worker.pid for worker in view.workers]]
    found = [processes.look(pid) for pid in pids if pid is not None]
    assert all(found) and len(found) == workers + 2
    return spec.name, [each for each in found if each is not None]


async def all_gone(which: list[processes.Process]) -> None:
    """Wait until none of them is left."""
    deadline = time.monotonic() + GONE
    while left := [process for process in which if processes.alive(process)]:
        assert time.monotonic() < deadline, f"still there after {GONE} s: {left}"
        await asyncio.sleep(0.05)
