"""A service whose machine's clock is set, forward and back: it counts and logs on, and takes that for no change."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.home.owner import me
from jupyter_mlops.home.services import service_folder

from .conftest import numbers, until
from .test_usage import counted

HOUR, DAY = 3600.0, 86400.0

#: Makes all processes that are started from here on see a clock that is ahead by as many seconds as stand in a file.
CLOCK = """
import time

right = time.time

def shown():
    with open({path!r}) as file:
        return right() + float(file.read())

time.time = shown
"""


@pytest.fixture
def set_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock of processes that are started from here on so many seconds ahead of this one's."""
    path, folder = tmp_path / "ahead", tmp_path / "code"

    def ahead(seconds: float) -> None:
        (tmp_path / "next").write_text(str(seconds))
        (tmp_path / "next").replace(path)

    ahead(0)
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(CLOCK.format(path=str(path)))
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    return ahead


def test_a_clock_that_is_set_is_no_change_of_what_is_asked(home: Path, set_clock: Callable[[float], None]) -> None:
    X, _ = numbers(1)  # the rows that the version was measured with
    service = mlops.deploy("churn@1", name="clock", log=1.0, log_rows=100_000, window="1 s")
    asked = 0

    def watched() -> int:
        assert service.state.alarm is None and service.state.phase == "ready" and service.state.problem is None
        return sum(window.rows for window in service.windows()) + service.watch().state.open.rows

    def ask() -> None:
        nonlocal asked
        service.predict(X)
        asked += len(X)

    def goes_on() -> None:
        """Two windows end, of what is asked from now on."""
        seen = len(service.windows())

        def ended() -> bool:
            if watched() == asked:  # so that each window has some
                ask()
            return len(service.windows()) >= seen + 2

        until(ended)

    try:
        goes_on()
        for seconds in (HOUR, 0, -HOUR, 40 * DAY, 0):
            set_clock(seconds)
            goes_on()
            assert abs(service.windows()[-1].until - time.time() - seconds) < HOUR / 2
            if abs(seconds) <= HOUR:
                calls, rows = counted(service, me(), HOUR)[0], len(service.requests())
                ask()
                until(lambda calls=calls: counted(service, me(), HOUR)[0] > calls)
                until(lambda rows=rows: len(service.requests()) > rows)
        set_clock(HOUR)
        goes_on()
        os.kill(json.loads(service_folder("clock").router_file.read_text())["process"]["pid"], signal.SIGKILL)
        until(lambda: service.state.phase == "dead")
        set_clock(-HOUR)
        known = sum(window.rows for window in service.windows()) + service.watch().state.open.rows
        service = mlops.deploy("churn@1", name="clock")
        asked = known
        goes_on()
        assert all(window.since <= window.until for window in service.windows())
        assert service.watch().changed == [] and not service.watch().state.alerts
    finally:
        service.stop()
