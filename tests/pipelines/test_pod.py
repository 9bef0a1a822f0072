"""The program that runs a notebook where it is run by itself, on a cluster of this machine."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from jupyter_mlops.client.clusters.handle import Cluster
from jupyter_mlops.core.errors import StorageFull
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.core.schedule import Outcome, Schedule, ScheduleSpec
from jupyter_mlops.pipelines import pod
from jupyter_mlops.pipelines.child import INTERRUPTED

from ..runs.cluster import until

#: It takes no notice of whoever wants it to end.
STUBBORN = (
    "import signal, time\n"
    "from pathlib import Path\n"
    "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "Path('began').touch()\n"
    "time.sleep(600)\n"
    "x = 1"
)


def run_of(path: Path, *cells: str) -> pod.ScheduledRun:
    """A run of a notebook, on a cluster of this machine."""
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": each} for each in cells]}))
    profile = Profile(name="p", place="local", groups=[Group(workers=1, cpus=1, memory=256 * 1024**2)])
    schedule = Schedule(notebook=str(path), every="1 day", created=time.time())
    wanted = ScheduleSpec(schedule=schedule, notebook=path.name, owner="", profile=profile, asked=profile)
    return pod.ScheduledRun(wanted, path)


def test_of_what_is_printed_the_end_is_held() -> None:
    printed = pod.Printed()
    tracemalloc.start()
    for number in range(4000):
        printed.add(f"{number} {'x' * 1000}\n")
    printed.add("\n")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 3_000_000 and len(str(printed)) == 1_000_000
    assert printed.last.startswith("3999 ") and str(printed).endswith("x\n\n")


def test_what_can_not_be_kept_of_a_run_is_how_it_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StorageFull("The disk is full")

    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(pod, "packed_steps", full)
    run = run_of(tmp_path / "night.ipynb", "%%mlrun --step load\nx = unknown")
    outcome = run.run()
    assert (outcome.code, outcome.said) == (1, "The disk is full.") and outcome.ended and "unknown" in run.log
    assert outcome.cluster and Cluster(outcome.cluster).state().phase == "ended"


def test_steps_that_don_t_end_leave_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(pod, "_CANCELLING", 1.0)
    run = run_of(tmp_path / "night.ipynb", STUBBORN, "%%mlrun --step load\ny = x")
    outcomes = list[Outcome]()
    thread = threading.Thread(target=lambda: outcomes.append(run.run()))
    monkeypatch.setattr(pod, "_on_sigterm", lambda cancel: contextlib.nullcontext())  # a main thread's alone
    thread.start()
    until((tmp_path / "began").exists)
    run.cancel()
    until(lambda: not thread.is_alive())
    (outcome,) = outcomes
    assert outcome.code == INTERRUPTED and outcome.cluster
    assert Cluster(outcome.cluster).state().phase == "ended"
