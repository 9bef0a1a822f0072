"""Runs in MLflow: a real store in SQLite, real processes, and a server that isn't there."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from jupyter_mlops.core.curve import CurveLine
from jupyter_mlops.core.price import Cost
from jupyter_mlops.core.run import Entry, ItemError, Origin, RunState
from jupyter_mlops.core.settings import Settings
from jupyter_mlops.core.sweep import Trial
from jupyter_mlops.home import settings
from jupyter_mlops.home.runs import run_folder
from jupyter_mlops.tracking import history, pending
from jupyter_mlops.tracking.recorder import Recorder
from jupyter_mlops.tracking.store import MlflowStore
from jupyter_mlops.tracking.sync import sync
from jupyter_mlops.tracking.target import tracking_uri

if TYPE_CHECKING:
    from mlflow.entities import Run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("mlflow"),
    pytest.mark.filterwarnings(
        # MLflow and what it brings, at import and at use
        "ignore::DeprecationWarning",
        "ignore::FutureWarning",
        "ignore::PendingDeprecationWarning",
        "ignore::UserWarning",
        "ignore::ResourceWarning",
        "ignore::pytest.PytestUnraisableExceptionWarning",
    ),
]

#: Seconds that anything may take: MLflow's process is a nice one, and gets a tenth of a CPU beside others' work.
PATIENCE = 450.0


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables with nothing in them: it takes seconds of a CPU to make them."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("tables") / "mlflow.sqlite"
    MlflowClient(f"sqlite:///{path}")
    return path


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def home(empty_home: Path, tables: Path) -> Path:
    """One in which something was recorded before."""
    shutil.copy(tables, empty_home / "mlflow.sqlite")
    return empty_home


@pytest.fixture
def recorder(empty_home: Path) -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


def run(number: int = 1, **more: Any) -> RunState:
    fields = {
        "name": "clean flights",
        "kind": "map",
        "cluster": "one",
        "owner": "ada",
        "created": 1_700_000_000.0,
        "code": "x * 2",
        "options": {"workers": 2, "timeout": None, "on_error": "raise"},
        "variables": ["flights"],
        "versions": {"dask": "2026.8.0"},
        "shape": {"default": 2},
        "origin": Origin(notebook="work/a.ipynb", cell="c1"),
    }
    return RunState(id=f"{number:012x}", **{**fields, **more})


def ended(state: RunState, **more: Any) -> RunState:
    fields = {
        "phase": "done",
        "ended": state.created + 60,
        "total": 10,
        "done": 10,
        "cost": Cost(amount=0.25, per_hour=15, currency="EUR", source="test"),
        "metrics": {"loss": 0.1},
        "params": {"depth": "3"},
    }
    return state.model_copy(update={**fields, **more})


def found() -> list[Run]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri())
    experiment = client.get_experiment_by_name("jupyter-mlops")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def test_a_run_is_there_from_its_start_to_its_end(empty_home: Path, recorder: Recorder) -> None:
    from mlflow import MlflowClient

    state = run()
    recorder.record(state)
    assert recorder.flush(PATIENCE)
    (seen,) = found()
    assert seen.info.status == "RUNNING" and seen.info.run_name == "clean flights"
    assert seen.info.start_time == 1_700_000_000_000
    assert seen.data.params["option.workers"] == "2" and "option.timeout" not in seen.data.params
    tags = seen.data.tags
    assert (tags["mlops.run"], tags["mlops.cluster"], tags["mlflow.user"]) == (state.id, "one", "ada")
    assert tags["mlops.notebook"] == "work/a.ipynb" and json.loads(tags["mlops.versions"]) == {"dask": "2026.8.0"}

    entries = [
        Entry(seq=1, time=state.created + 1, kind="print", text="hello"),
        Entry(seq=2, time=state.created + 2, kind="metric", key="loss", value=0.5, step=1),
        Entry(seq=3, time=state.created + 3, kind="metric", key="loss", value=0.1, step=2),
    ]
    (empty_home / "runs" / state.id / "journal.jsonl").write_text("".join(f"{e.model_dump_json()}\n" for e in entries))
    recorder.record(ended(state))
    recorder.record(ended(state))
    assert recorder.flush(PATIENCE)
    (seen,) = found()
    assert seen.info.status == "FINISHED" and seen.info.end_time == 1_700_000_060_000
    assert seen.data.params["depth"] == "3"
    assert seen.data.metrics["mlops.cost"] == 0.25 and seen.data.metrics["mlops.items_done"] == 10
    client = MlflowClient(tracking_uri())
    assert [(m.step, m.value) for m in client.get_metric_history(seen.info.run_id, "loss")] == [(1, 0.5), (2, 0.1)]
    (code,) = [a.path for a in client.list_artifacts(seen.info.run_id)]
    assert code == "code.py" and seen.info.artifact_uri.startswith(empty_home.as_uri())
    assert not (empty_home / "mlruns").exists(), "nothing lies beside the notebook"
    assert pending.unsynced() == []


#: Dies in the middle of MLflow's migrations: a table is there, and its version isn't.
DIES = """
import os, signal
from sqlalchemy import event
from sqlalchemy.engine import Engine
from jupyter_mlops.tracking import history
from jupyter_mlops.tracking.store import MlflowStore
from jupyter_mlops.tracking.target import tracking_uri

migrating = False

@event.listens_for(Engine, "after_cursor_execute")
def look(connection, cursor, statement, *others):
    global migrating
    migrating |= statement.startswith("UPDATE alembic_version")
    if migrating and statement.strip().startswith("CREATE TABLE"):
        os.kill(os.getpid(), signal.SIGKILL)

MlflowStore(tracking_uri()).sync(history.get("000000000001"))
"""


def test_a_process_killed_while_it_makes_the_tables_spoils_nothing(empty_home: Path) -> None:
    history.save(ended(run()))
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", DIES], check=False).returncode == -signal.SIGKILL
    MlflowStore(tracking_uri()).sync(ended(run()))
    assert [seen.info.status for seen in found()] == ["FINISHED"]
    assert not list(empty_home.glob("*.unfinished*"))


def test_failures_odd_names_and_the_points_of_all_ranks_arrive(home: Path) -> None:
    from mlflow import MlflowClient

    state = ended(
        run(2),
        phase="failed",
        error="ValueError: " + "x" * 9000,
        errors=[ItemError(index=3, item="'a'", error="ValueError", traceback="long")],
        cost=Cost(),
        params={"lr (start)": "1e-3", "long": "y" * 9000},
        metrics={"acc%": 1.0},
    )
    folder = run_folder(state.id)
    folder.write_record(state)
    points = [([1, 2], [0.5, float("nan")], 0), ([1], [0.75], 1)]
    folder.add_to_curves(
        CurveLine(key="loss", rank=rank, steps=steps, values=values, times=[state.created] * len(steps))
        for steps, values, rank in points
    )
    MlflowStore(tracking_uri()).sync(state)
    (seen,) = found()
    history_of = MlflowClient(tracking_uri()).get_metric_history
    logged = [(each.step, str(each.value)) for each in history_of(seen.info.run_id, "loss")]
    assert logged == [(1, "0.5"), (2, "nan")]
    assert [each.value for each in history_of(seen.info.run_id, "loss/rank 1")] == [0.75]
    assert seen.info.status == "FAILED" and seen.data.tags["mlops.error"].startswith("ValueError")
    assert seen.data.params["lr _start_"] == "1e-3" and seen.data.metrics["acc_"] == 1.0
    assert "mlops.cost" not in seen.data.metrics


def test_trials_of_a_sweep_are_nested_runs(home: Path) -> None:
    from mlflow import MlflowClient

    state = run(9).model_copy(update={"kind": "sweep", "options": {"metric": "auc"}})
    folder = run_folder(state.id)
    folder.write_record(state)

    def trial(number: int, **more: Any) -> Trial:
        return Trial(number=number, params={"lr": number / 10, "act": "relu"}, began=state.created, **more)

    def log(number: int | None, *values: float) -> None:
        steps = list(range(len(values)))
        times = [state.created] * len(steps)
        folder.add_to_curves([CurveLine(key="loss", trial=number, steps=steps, values=list(values), times=times)])

    of_earlier = {"phase": "done", "value": 0.9, "ended": state.created - 9}
    folder.add_to_trials([trial(0, **of_earlier), trial(1), trial(2), trial(3)])
    log(1, 5.0, 4.0)
    MlflowStore(tracking_uri()).sync(state)
    folder.add_to_trials([trial(1, phase="done", value=0.7, metrics={"f1": 0.6}, ended=state.created + 5)])
    folder.add_to_trials([trial(2, phase="failed", error="ValueError: no", ended=state.created + 6)])
    log(2, 3.0)
    log(5000, 8.0)
    marker = json.loads(folder.marker.read_text())
    folder.marker.write_text(json.dumps({**marker, "nested": {}}))  # a process was killed before it could write them
    MlflowStore(tracking_uri()).sync(ended(state, phase="lost"))
    client = MlflowClient(tracking_uri())
    (parent,) = [each for each in found() if "mlops.run" in each.data.tags]
    nested = [each for each in found() if each.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    of = {each.data.tags["mlops.trial"]: each for each in nested}
    assert sorted(of) == ["1", "2", "3"] and len(nested) == 3
    assert [of[each].info.status for each in "123"] == ["FINISHED", "FAILED", "KILLED"]
    assert of["1"].data.params == {"lr": "0.1", "act": "relu"}
    assert of["1"].data.metrics == {"loss": 4.0, "auc": 0.7, "f1": 0.6}
    assert len(client.get_metric_history(of["1"].info.run_id, "loss")) == 2
    assert of["2"].data.tags["mlops.error"] == "ValueError: no" and of["2"].data.metrics == {"loss": 3.0}
    assert parent.data.metrics["loss/trial 5000"] == 8.0


def test_recording_returns_at_once(home: Path, recorder: Recorder) -> None:
    started = time.perf_counter()
    for number in range(20):
        recorder.record(run(number + 1))
    returned = time.perf_counter()
    assert recorder.flush(PATIENCE) and len(found()) == 20
    assert returned - started < (time.perf_counter() - started) / 2


def _sync(home: str) -> None:
    MlflowStore(tracking_uri()).sync(ended(run(7)))


def test_a_kernel_and_a_server_at_once_make_one(empty_home: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_sync, args=(str(empty_home),)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    (seen,) = found()
    assert seen.info.status == "FINISHED"


def test_what_a_killed_kernel_left_is_brought_by_the_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history.save(run(1))
    history.save(ended(run(2)))
    assert pending.unsynced() == [], "the kernel has a moment to do it itself"
    monkeypatch.setattr(pending, "GRACE", 0.0)
    assert set(pending.unsynced()) == {run(1).id, run(2).id}
    code = (
        "import jupyter_mlops.tracking.pending as p, sys; p.GRACE = 0.0\n"
        "from jupyter_mlops.tracking import sync\nsys.exit(sync.main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert pending.unsynced() == []
    assert sorted(seen.info.status for seen in found()) == ["FINISHED", "RUNNING"]
    history.save(ended(run(1), phase="lost"))
    assert pending.unsynced() == [run(1).id]


def test_a_tracking_server_that_is_away_loses_nothing(
    home: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("jupyter_mlops.tracking.recorder._BACKOFF", (0.2, 0.2))
    settings.save(Settings(tracking_uri="sqlite:////dev/null/nowhere.sqlite"))
    recorder.record(ended(run(1)))
    assert not recorder.flush(PATIENCE)
    assert [r.levelname for r in caplog.records if "not recorded in MLflow" in r.message] == ["WARNING"]
    assert "tracking URI in the settings" in caplog.text
    assert history.get(run(1).id).phase == "done", "the record is kept"
    settings.save(Settings())
    deadline = time.monotonic() + PATIENCE
    while not recorder.flush(5):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [seen.info.status for seen in found()] == ["FINISHED"]
    assert len([r for r in caplog.records if "not recorded in MLflow" in r.message]) == 1


def test_closing_ends_the_process_also_when_the_tracking_server_does_not_answer(home: Path, recorder: Recorder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and never says a word
        settings.save(Settings(tracking_uri=f"http://127.0.0.1:{silent.getsockname()[1]}"))
        recorder.record(run(1))
        silent.accept()
        assert len(_children()) == 1, "the process waits for the server"
        started = time.monotonic()
        recorder.close(0.2)
        assert time.monotonic() - started < 30  # the server's answer would be waited for much longer
    assert _children() == []
    assert history.get(run(1).id).ended is None, "the record is kept"
    settings.save(Settings())
    recorder.record(ended(run(1)))
    assert recorder.flush(PATIENCE)
    assert [seen.info.status for seen in found()] == ["FINISHED"]


def test_the_process_of_a_server_that_was_killed_ends_too(home: Path) -> None:
    history.save(run(1))
    os.utime(run_folder(run(1).id).record_file, (0, 0))  # its kernel would have brought it by now
    command = [sys.executable, "-m", "jupyter_mlops.tracking.sync", "--attached"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.save(Settings(tracking_uri=f"http://127.0.0.1:{silent.getsockname()[1]}"))
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            silent.settimeout(PATIENCE)
            silent.accept()
            assert process.stdin is not None and process.poll() is None
            process.stdin.close()
            assert process.wait(PATIENCE) == 0


def _children() -> list[int]:
    """The processes in which MLflow works for this one."""
    found = []
    for each in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # another one, which ended just now
            found += [each.pid] if "jupyter_mlops.tracking.sync" in each.cmdline() else []
    return found


def test_another_tracking_uri_gets_the_runs_that_come(home: Path, recorder: Recorder) -> None:
    recorder.record(run(1))
    assert recorder.flush(PATIENCE)
    settings.save(Settings(tracking_uri=f"sqlite:///{home / 'other.sqlite'}"))
    recorder.record(run(2))
    recorder.record(ended(run(1)))
    assert recorder.flush(PATIENCE)
    assert sorted(seen.data.tags["mlops.run"] for seen in found()) == [run(1).id, run(2).id]


def test_off_makes_no_process_and_what_was_missed_can_be_brought(
    empty_home: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.save(Settings(tracking_uri="off"))
    history.save(ended(run(1)))
    recorder.record(ended(run(1)))
    assert recorder.flush(PATIENCE)
    assert sync() == 0
    assert (_children(), (empty_home / "mlflow.sqlite").exists()) == ([], False)
    settings.save(Settings())
    monkeypatch.setattr(pending, "GRACE", 0.0)
    assert pending.unsynced() == [run(1).id]


def test_nothing_heavy_is_imported_before_a_run_is_recorded() -> None:
    code = (
        "import sys, jupyter_mlops.tracking.recorder as r, jupyter_mlops.tracking.pending\n"
        "print([m for m in ('mlflow', 'pydantic', 'sqlalchemy', 'distributed') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_a_run_of_a_kernel_is_in_mlflow_when_the_kernel_has_ended(home: Path) -> None:
    code = (
        "import sys, jupyter_mlops as mlops\n"
        "one = mlops.start('gentle', name='one')\n"
        "try:\n"
        "    print(mlops.run(lambda: mlops.log_metric('loss', 0.5, step=3) or 42, cluster='one').result())\n"
        "finally:\n"
        "    one.stop()\n"
        "assert 'mlflow' not in sys.modules, 'a kernel has better things to do'\n"
        "from jupyter_mlops.tracking import recorder\n"
        "assert recorder.flush(450)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and done.stdout.strip() == "42", done.stderr
    (seen,) = found()
    assert seen.info.status == "FINISHED" and seen.data.tags["mlops.cluster"] == "one"
    assert seen.data.metrics["loss"] == 0.5
