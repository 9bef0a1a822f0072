"""A home folder of an older version opens: nothing of it is lost, ended or changed by looking."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.client.runs import again
from jupyter_mlops.home import settings
from jupyter_mlops.home.runs import read_run, read_runs, run_folder
from jupyter_mlops.places import profiles
from jupyter_mlops.places.local import store
from jupyter_mlops.places.local.backend import LocalBackend

from .old_home import unpack

#: Runs by what became of them.
DETACHED, FAILED, LOST = "8b31cfdcb071", "5d3cd9295f46", "4f010c4c6e0f"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    unpack(folder)
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(folder))
    monkeypatch.setattr(store, "KEPT", float("inf"))  # the folder is older than ended clusters are kept
    return folder


async def test_its_clusters_are_there_with_events_and_money() -> None:
    place = LocalBackend()
    states = {state.name: state for state in await place.clusters()}
    assert set(states) == {"stopped", "killed"} and not any(state.unreadable for state in states.values())
    assert (states["stopped"].owner, states["stopped"].profile, states["stopped"].cause) == ("ada", "mine", "user")
    assert states["stopped"].cost.amount == pytest.approx(159.11, abs=0.01)
    assert (states["killed"].phase, states["killed"].commands) == ("unreachable", ["stop"]), "another machine has it"
    await place.stop("killed")
    receipt = await place.receipt("killed")
    assert receipt is not None and receipt.most_workers == 2 and receipt.cost.amount is not None
    assert receipt.cost.amount == pytest.approx(28.76, abs=0.5), "until its last sign of life"
    texts = [event.text for event in await place.events("stopped")]
    assert (texts[0], texts[-1]) == ("The cluster started", "The cluster stops (user)")
    assert (await place.events("killed"))[-1].text.startswith("Ended (user)")
    assert len(await place.timeline("stopped")) > 5
    assert {run.id for run in await place.runs("stopped")} >= {DETACHED, FAILED}
    assert (await place.spec("killed")).profile.limits.budget == 1e6


def test_its_runs_are_there_with_journals_results_and_what_runs_them_again() -> None:
    found = {run.id: run for run in read_runs()}
    assert len(found) == 6 and all(run.problem is None for run in found.values())
    assert {found[run].phase for run in (DETACHED, FAILED, LOST)} == {"done", "failed", "lost"}
    assert found[FAILED].errors[0].error == "ValueError: two"
    assert all(run.cost.amount is not None for run in found.values())
    prints = [entry.text for entry in run_folder(DETACHED).journal() if entry.kind == "print"]
    assert "".join(sorted(prints)) == "".join(f"item {number}\n" for number in range(6))
    assert mlops.get_run(DETACHED).result() == [1, 2, 3, 4, 5, 6]
    for run in found:
        again.check(run)


def test_its_settings_and_profiles_count(home: Path) -> None:
    found = settings.load()
    assert found.price.cpu_hour == 3600
    assert found.kinds == {"m5.large": 0.1}
    assert found.currencies == {"m5.large": found.price.currency}, "what its currency was then stays so"
    assert (first := profiles.all_profiles()[0]).name == "mine"
    assert (first.groups[0].memory, first.limits.idle_timeout, first.source) == (512 * 1024**2, 3600, "user")
    profiles.mark_used("gentle")
    assert set(settings.load().last_used) == {"mine", "gentle"}


def test_its_history_in_mlflow_goes_on(home: Path, mlflow: None) -> None:
    def runs() -> list[tuple[str, str]]:
        with closing(sqlite3.connect(home / "mlflow.sqlite", isolation_level=None)) as database:
            return list(database.execute("SELECT name, status FROM runs ORDER BY start_time"))

    before = runs()
    assert len(before) == 6
    subprocess.run([sys.executable, "-m", "jupyter_mlops.tracking.sync"], check=True, cwd=home)
    assert [name for name, _ in runs()] == [name for name, _ in before], "none is there twice"
    assert dict(runs())["slow"] == "KILLED", "what it had not yet been told"


def test_looking_changes_no_file(home: Path) -> None:
    def files() -> dict[str, bytes]:
        return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}

    before = files()
    asyncio.run(LocalBackend().clusters())
    read_runs(), read_run(LOST), settings.load(), profiles.all_profiles()
    assert files() == before
