"""How runs of clusters elsewhere are brought home that nobody follows any more."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.controller.link import RunView
from jupyter_mlops.core.curve import CurveLine
from jupyter_mlops.core.errors import ClusterEnded, ClusterUnreachable, MlopsError
from jupyter_mlops.core.run import RunState
from jupyter_mlops.home.runs import run_folder
from jupyter_mlops.server.runs.ends import RunEnds

RUN = RunState(id="0123456789ab", name="far", kind="cell", owner="me", cluster="", created=1.0)
RUN = RUN.told_by("one", "one.lab.kubernetes~1")


class Elsewhere:
    """The watcher and the link of a cluster that doesn't answer a few times."""

    def __init__(self, *faults: MlopsError) -> None:
        self.on_run: list[Callable[[RunState], None]] = []
        self.faults, self.asked = list(faults), 0

    def link(self, name: str) -> Elsewhere:
        self.asked += 1
        if self.faults:
            raise self.faults.pop(0)
        return self

    async def run_points(self, run: str, since: int) -> tuple[int, list[CurveLine]]:
        return 1, [CurveLine(key="loss", steps=[1], values=[2.0], times=[3.0], seq=1)]

    async def watch_run(self, run: str, since: int, timeout: float) -> RunView:
        return RunView(1, RUN.model_copy(update={"phase": "done"}))

    def tells(self) -> None:
        """Its controller tells that the run is over."""
        for tell in self.on_run:
            tell(RUN.model_copy(update={"phase": "done"}))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path))


def ends_of(cluster: Any) -> RunEnds:
    return RunEnds(cluster, logging.getLogger(__name__), others=0.01)


async def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_a_run_is_brought_home_though_its_cluster_was_silent_and_tells_of_it_once() -> None:
    folder = run_folder(RUN.id)
    folder.write_record(RUN)
    silent = Elsewhere(ClusterUnreachable("It doesn't answer"), ClusterUnreachable("It doesn't answer"))
    ends = ends_of(silent)
    silent.tells()
    silent.tells()
    await until(lambda: folder.record().phase == "done")
    assert silent.asked == 3 and [line.values for line in folder.curves()] == [[2.0]]
    await ends.close()


async def test_what_is_known_or_gone_or_another_homes_is_not_asked_for() -> None:
    gone = Elsewhere(ClusterEnded("It has ended"))
    ends = ends_of(gone)
    gone.tells()
    await asyncio.sleep(0)
    await ends.close()
    assert gone.asked == 0, "its run was sent from another home"
    run_folder(RUN.id).write_record(RUN)
    ends = ends_of(gone)
    gone.tells()
    await until(lambda: gone.asked == 1)
    assert run_folder(RUN.id).record().phase == RUN.phase
    gone.tells()
    await until(lambda: run_folder(RUN.id).record().phase == "done")
    gone.tells()
    await ends.close()
    assert gone.asked == 2
