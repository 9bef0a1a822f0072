"""What a run's folder has of a cluster elsewhere by the time that the run is over."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_mlops.client.clusters.kernel import kernel
from jupyter_mlops.client.runs.copies import Copy
from jupyter_mlops.core.curve import CurveLine
from jupyter_mlops.core.errors import ClusterUnreachable
from jupyter_mlops.core.run import RunState
from jupyter_mlops.home.runs import run_folder

RUN = "0123456789ab"


class Link:
    """Of a cluster that is silent once, then tells."""

    def __init__(self) -> None:
        self.silent = True

    async def run_points(self, run: str, since: int) -> tuple[int, list[CurveLine]]:
        if self.silent:
            self.silent = False
            raise ClusterUnreachable("It is silent")
        return 1, [CurveLine(key="loss", steps=[1, 2], values=[0.5, 0.4], times=[1.0, 2.0], seq=1)]


async def test_the_end_of_a_run_waits_for_its_last_points(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_mlops.client.runs.copies.WRITTEN", 60.0)  # a disk that is slower yet is another matter
    slow, copy = threading.Event(), Copy(RUN)
    kernel().writer.submit(slow.wait, 60)  # a disk that has other things to do
    session: Any = SimpleNamespace(link=Link())
    await copy.take_points(session, last=True)
    copy.take(RunState(id=RUN, name="training", kind="gang", cluster="c", owner="me", created=0.0, phase="done"), [])

    written = asyncio.create_task(copy.written())
    await asyncio.sleep(0)
    there = run_folder(RUN).curves()
    slow.set()
    assert not there and not written.done()
    await written
    assert [line.steps for line in run_folder(RUN).curves()] == [[1, 2]]
    assert run_folder(RUN).record().phase == "done"
