"""Notebooks that run by themselves, in a real process."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.errors import InvalidSpec
from jupyter_mlops.core.schedule import Schedule
from jupyter_mlops.core.service import ServiceSpec
from jupyter_mlops.home.alarms import alarm_watch, follow, home_id, unfollow
from jupyter_mlops.home.schedules import (
    ask_for_run,
    log_of,
    note_schedule,
    read_schedule,
    remove_schedule,
    write_schedule,
)
from jupyter_mlops.pipelines.clock import ensure_clock

from ..runs.cluster import until
from .clocks import clocks, until_no_clock_is_left


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """With a home of its own, in which nothing is scheduled in the end."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    yield tmp_path
    until_no_clock_is_left(tmp_path / "home")


def _notebook(path: Path, *cells: str) -> str:
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source} for source in cells]}))
    return str(path)


def test_what_was_missed_runs_once_and_says_how_it_went(folder: Path) -> None:
    """It ends before it needs a cluster: the notebook was edited since it was scheduled."""
    path = _notebook(folder / "night.ipynb", "%%mlrun --step load\nx = unknown")
    long_ago = time.time() - 5 * 86400
    write_schedule(Schedule(notebook=path, every="1 day at 02:00", created=long_ago))
    try:
        for _ in range(2):
            ensure_clock()
        until(lambda: (read_schedule(path) or _none()).ended is not None)
        first = read_schedule(path)
        assert first is not None and first.code == 1 and "The step 'load' reads 'unknown'" in first.said
        assert "unknown" in log_of(path).read_text() and log_of(path).stat().st_mode & 0o077 == 0
        assert first.due() > time.time(), "the nights between don't count"
        until(lambda: len(clocks(folder / "home")) == 1)
        ensure_clock()
        assert len(clocks(folder / "home")) <= 2 and read_schedule(path) == first
    finally:
        assert remove_schedule(path) and not remove_schedule(path)


def test_a_disk_that_is_away_for_a_while_ends_no_schedule(folder: Path) -> None:
    path = _notebook(folder / "night.ipynb", "%%mlrun --step load\nx = unknown")
    write_schedule(Schedule(notebook=path, every="1 day at 02:00", created=time.time() - 5 * 86400))
    ensure_clock()
    until(lambda: (read_schedule(path) or _none()).ended is not None)
    home, away = folder / "home", folder / "away"
    home.rename(away)
    home.write_text("in the way")
    try:
        until(lambda: "can't be written" in (away / "pipelines" / "clock" / "clock.log").read_text())
    finally:
        home.unlink()
        away.rename(home)
    before = read_schedule(path)
    assert before is not None and len(clocks(folder / "home")) == 1
    write_schedule(before.model_copy(update={"began": time.time() - 5 * 86400, "ended": None}))
    try:
        until(lambda: (read_schedule(path) or _none()).ended is not None)
    finally:
        remove_schedule(path)


def _none() -> Schedule:
    return Schedule(notebook="", every="", created=0)


def test_who_asks_for_a_run_at_once_moves_no_turn(folder: Path) -> None:
    path = _notebook(folder / "night.ipynb", "%%mlrun --step load\nx = unknown")
    week_ago, soon = time.time() - 3 * 86400, time.strftime("%H:%M", time.localtime(time.time() + 7200))
    write_schedule(Schedule(notebook=path, every=f"1 week at {soon}", created=week_ago - 86400, began=week_ago))
    schedule = read_schedule(path)
    assert schedule is not None and ask_for_run("/nowhere.ipynb", time.time()) is None
    turn = schedule.due()
    try:
        assert turn > time.time() + 3600
        asked = ask_for_run(path, time.time())
        assert asked is not None and asked.due() <= time.time()
        ensure_clock()
        until(lambda: (read_schedule(path) or _none()).ended is not None)
        after = read_schedule(path)
        assert after is not None and after.asked is None and after.began is not None and after.began > week_ago + 1
        assert after.due() == turn
        assert after.begun(turn + 1).due() > turn + 6 * 86400, "the turn itself counts as ever"
        never = Schedule(notebook=path, every="1 day at 02:00", created=time.time())
        asked = never.model_copy(update={"asked": time.time()})
        assert asked.begun(time.time()).due() == never.due(), "one that had no turn so far has its first then"
    finally:
        remove_schedule(path)


def test_who_asks_while_it_runs_is_not_forgotten_when_that_ends(folder: Path) -> None:
    path, now = str(folder / "night.ipynb"), time.time()
    schedule = Schedule(notebook=path, every="1 week", created=now - 10, asked=now - 5)
    write_schedule(schedule)
    running = schedule.begun(now)
    note_schedule(running)
    kept = read_schedule(path)
    assert kept is not None and kept.asked is None
    ask_for_run(path, now + 1)
    note_schedule(running.model_copy(update={"ended": now + 2, "code": 0}))
    kept = read_schedule(path)
    assert kept is not None and (kept.code, kept.asked) == (0, now + 1)
    assert remove_schedule(path)


def test_a_run_that_nobody_follows_any_more_was_cut_short(folder: Path) -> None:
    path = _notebook(folder / "night.ipynb", "%%mlrun --step load\nx = unknown")
    write_schedule(Schedule(notebook=path, every="1 week", created=time.time() - 60, began=time.time() - 50))
    try:
        ensure_clock()
        until(lambda: (read_schedule(path) or _none()).ended is not None)
        schedule = read_schedule(path)
        assert schedule is not None and schedule.code != 0 and "cut short" in schedule.said
    finally:
        remove_schedule(path)


def test_schedules_go_on_while_services_are_looked_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long that takes; and it isn't begun again meanwhile."""
    (folder / "sitecustomize.py").write_text(
        "import pathlib, sys, time\n"
        "if 'jupyter_mlops.serving.alarmed' in sys.orig_argv:\n"
        f"    here = pathlib.Path({str(folder)!r})\n"
        "    with (here / 'began').open('a') as file: file.write('once\\n')\n"
        "    while not (here / 'go').exists(): time.sleep(0.1)\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]))
    spec = ServiceSpec(name="far", model="far", version=1, digest="", owner="", created=0, place="nowhere")
    follow(spec.model_copy(update={"retrain": "on alarm", "home": home_id()}), elsewhere=True)
    path = _notebook(folder / "night.ipynb", "%%mlrun --step load\nx = unknown")
    try:
        ensure_clock()
        until((folder / "began").exists)
        write_schedule(Schedule(notebook=path, every="1 day at 02:00", created=time.time() - 5 * 86400))
        until(lambda: (read_schedule(path) or _none()).ended is not None)
        watch = alarm_watch("far")
        assert watch is not None and not watch.looked
        (folder / "go").touch()
        until(lambda: (alarm_watch("far") or watch).looked)
        watch = alarm_watch("far")
        assert watch is not None and watch.problem is not None and "nowhere" in str(watch.problem)
        assert (folder / "began").read_text() == "once\n"
        assert "nowhere" in (folder / "home" / "pipelines" / "clock" / "clock.log").read_text()
    finally:
        (folder / "go").touch()
        remove_schedule(path)
        unfollow("far")


def test_a_pipeline_says_when_it_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _notebook(folder / "night.ipynb", "%%mlrun --step load\nx = 1")
    pipeline = mlops.pipeline(path)
    try:
        with pytest.raises(InvalidSpec, match="every can't be 'often'"):
            pipeline.schedule("often")
        assert read_schedule(path) is None
        soon = time.strftime("%H:%M", time.localtime(time.time() + 7200))
        pipeline.schedule(f"1 day at {soon}")
        assert f"Every 1 day at {soon}; next " in str(pipeline) and soon in pipeline._repr_html_()
        main(["pipeline", "log", path])
        assert "hasn't run by itself so far" in capsys.readouterr().err
    finally:
        pipeline.schedule(None)
    assert "Every" not in str(pipeline)
