"""Who calls a service is counted, kept, and told to its owner."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.callers import DAY, DAYS, UsageDay, day_of
from jupyter_mlops.home.models import model_folder
from jupyter_mlops.home.services import service_folder
from jupyter_mlops.home.usage import UsageFolder
from jupyter_mlops.serving import usage
from jupyter_mlops.serving.usage import CallerCounts

from .conftest import Caller, until

ROWS = [[30.0, 1000.5]] * 2


def counted(service: mlops.Service, caller: str, ahead: float = 0.0) -> tuple[int, int, list[int]]:
    """Requests and rows of a caller, in all days that are kept: a test may run at midnight. `ahead`: by how many
    seconds the service's clock may be, or have been, before this one's."""
    found = [
        each
        for day in service_folder(service.name).usage.days(time.time() + ahead)
        for each in day.callers
        if each.caller == caller
    ]
    versions = {version for each in found for version in each.versions}
    return sum(each.requests for each in found), sum(each.rows for each in found), sorted(versions)


def test_a_service_whose_router_died_goes_on_with_the_day_and_a_stop_says_who_misses_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = mlops.deploy("churn", name="missed")
    token = service.token("billing")
    billing = Caller(service, token)
    assert "Nobody called it in the last 8 days." in repr(service.callers)
    for _ in range(3):
        assert billing("POST", "/predict", ROWS).status == 200
    until(lambda: counted(service, "billing")[0] == 3)
    before = counted(service, "billing")
    router = json.loads(service_folder("missed").router_file.read_text())["process"]["pid"]
    os.kill(router, signal.SIGKILL)
    until(lambda: service.state.phase == "dead")
    service = mlops.deploy("churn", name="missed")
    assert Caller(service, token)("POST", "/predict", ROWS).status == 200
    until(lambda: counted(service, "billing")[0] == 4)
    assert counted(service, "billing")[1] == before[1] // 3 * 4
    assert service.callers[0] == "billing" and "billing" in list(service.callers)
    assert main(["services", "show", "missed"]) == 0
    assert "billing called it within the hour." in capsys.readouterr().out
    assert main(["undeploy", "missed"]) == 0
    assert "missed: billing called it within the hour." in capsys.readouterr().out
    stopped = model_folder("churn").trail()[-1]
    assert (stopped.verb, stopped.before) == ("stopped", "billing called it within the hour.")


async def test_a_disk_that_refuses_is_told_once_and_tried_again(tmp_path: Path) -> None:
    said: list[str] = []
    place = tmp_path / "usage"
    place.write_text("in the way")
    counts = CallerCounts(UsageFolder(place), said.append)
    before = len(said)
    for _ in range(2):
        counts.add("web", 1, 2, failed=False)
        await counts.keep()
    assert len(said) == before + 1
    place.unlink()
    await counts.keep()
    (day,) = [UsageDay.model_validate_json(path.read_text()) for path in place.iterdir()]
    assert [(each.caller, each.requests, each.rows) for each in day.callers] == [("web", 2, 4)]


async def test_a_day_that_is_over_is_kept_whole_and_old_ones_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_700_000_000.0 // DAY * DAY + DAY - 1
    clock: Any = type("Clock", (), {"time": staticmethod(lambda: now)})
    monkeypatch.setattr(usage, "time", clock)
    folder = UsageFolder(tmp_path / "usage")
    counts = CallerCounts(folder, pytest.fail)
    counts.add("web", 1, 1, failed=False)
    counts.add("", 1, 1, failed=False)
    now += 2
    counts.add("web", 2, 1, failed=True)
    await counts.keep()
    first, second = folder.day(day_of(now - DAY)), folder.day(day_of(now))
    assert [(each.requests, each.errors, each.versions) for each in first.callers] == [(1, 0, [1])]
    assert [(each.requests, each.errors, each.versions) for each in second.callers] == [(1, 1, [2])]
    files = {path: path.stat().st_mtime_ns for path in folder.path.iterdir()}
    await counts.keep()
    assert {path: path.stat().st_mtime_ns for path in folder.path.iterdir()} == files, "nothing has changed"
    (folder.path / "notes.json").write_text("{}")
    now += DAYS * DAY
    counts.add("web", 2, 1, failed=False)
    await counts.keep()
    assert {path.stem for path in folder.path.iterdir()} == {day_of(now), "notes"}


def test_callers_that_nobody_knows_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "MOST_COUNTED", 2)
    counts = CallerCounts(UsageFolder(tmp_path / "usage"), pytest.fail)
    for name in ("a", "b", "c", "a"):
        counts.add(name, 1, 1, failed=False)
    asyncio.run(counts.keep())
    (day,) = [UsageDay.model_validate_json(path.read_text()) for path in (tmp_path / "usage").iterdir()]
    assert [(each.caller, each.requests) for each in day.callers] == [("a", 2), ("b", 1)]
