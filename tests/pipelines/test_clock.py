"""Notebooks that run by themselves, in a real process."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.errors import InvalidSpec
from jupyter_mlops.core.schedule import Schedule
from jupyter_mlops.home.schedules import log_of, read_schedule, remove_schedule, write_schedule
from jupyter_mlops.pipelines.clock import ensure_clock

from ..runs.cluster import until


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """With a home of its own, in which nothing is scheduled in the end."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    yield tmp_path
    until(lambda: not _clocks(tmp_path))


def _clocks(folder: Path) -> list[int]:
    """The processes that serve the home in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = "jupyter_mlops.pipelines.clock" in process.cmdline()
            if ours and process.environ().get("JUPYTER_MLOPS_HOME") == str(folder / "home"):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


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
        until(lambda: len(_clocks(folder)) == 1)
        ensure_clock()
        assert len(_clocks(folder)) <= 2 and read_schedule(path) == first
    finally:
        assert remove_schedule(path) and not remove_schedule(path)


def _none() -> Schedule:
    return Schedule(notebook="", every="", created=0)


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
