"""A service that is retrained: its notebook runs as a pipeline, in real processes, and what it saves is judged."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.cluster import Problem
from jupyter_mlops.core.errors import Conflict, InvalidInput, InvalidSpec, NotFound
from jupyter_mlops.core.retraining import Retraining
from jupyter_mlops.home.logs import MOST, bound_logs
from jupyter_mlops.home.models import model_folder
from jupyter_mlops.home.retraining import retraining_folder
from jupyter_mlops.home.services import service_folder
from jupyter_mlops.pipelines.alarms import due

from ..runs.cluster import a_cluster, is_gone
from .conftest import numbers, plain, until

FIRST = """\
import numpy as np
from pathlib import Path
import jupyter_mlops as mlops"""

#: As `numbers`, of a world that the notebook reads a file about.
LOAD = """\
%%mlrun --step load --cluster retrains
years, noise = map(float, open("world.txt").read().split())
rng = np.random.default_rng(3)
X = np.column_stack([rng.integers(18, 90, 400) + years, rng.normal(3000, 800, 400)])
y = np.where(X[:, 1] + 20 * (X[:, 0] - years) + rng.normal(0, noise, 400) < 4000, "left", "stayed")"""

TRAIN = """\
%%mlrun --step train --cluster retrains
score = X[:, 1] + 20 * X[:, 0]
edge = (score[y == "left"].mean() + score[y == "stayed"].mean()) / 2
def model(X, edge=edge):
    return np.where(X[:, 1] + 20 * X[:, 0] < edge, "left", "stayed")"""

SAVE = 'mlops.save_model(model, "churn", valid=(X, y))'

#: A step that lasts until there is a file.
SLOW = """\
%%mlrun --step slow --cluster retrains
import time
while not Path("go").exists():
    time.sleep(0.1)"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """With a home of its own, a cluster, a notebook, and the version that its pipeline saved first."""
    path = tmp_path_factory.mktemp("retrain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_MLOPS_HOME", str(path / "home"))
        with a_cluster("retrains"):
            world(path, 0)
            notebook(path / "train.ipynb", FIRST, LOAD, TRAIN, SAVE)
            mlops.pipeline(path / "train.ipynb").run()
            mlops.model("churn").promote(1)
            mlops.model("churn").set_gates(metrics={"accuracy": {"least": 0.8}})
            mlops.save_model(plain(), "plain", valid=numbers(1))
            yield path


def notebook(path: Path, *cells: str) -> Path:
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source} for source in cells]}))
    return path


def world(path: Path, years: int, noise: int = 400) -> None:
    """How old people are, and how hard it is to tell who leaves."""
    (path / "world.txt").write_text(f"{years} {noise}")


@pytest.fixture
def service(folder: Path) -> Iterator[mlops.Service]:
    made = mlops.deploy("churn@1", window="1 s", log=1.0, log_rows=100_000)
    yield made
    made.stop()


def drift(service: mlops.Service, years: int = 40) -> None:
    """Have it asked about older people until that is an alarm."""
    seeds = iter(range(100, 10_000))

    def alarmed() -> bool:
        X, _ = numbers(next(seeds), 200)
        X[:, 0] += years
        service.predict(X)
        return service.state.alarm is not None

    until(alarmed)


def newest() -> int:
    return mlops.model("churn").versions[0].number


def deeds(after: int) -> list[tuple[str, str, str]]:
    return [(entry.actor.how, entry.verb, entry.object) for entry in mlops.trail("churn")[after:]]


def test_a_pipeline_runs_a_plain_cell_that_saves_a_model_and_not_twice(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = mlops.model("churn").version(1).record.made
    assert made.notebook == str(folder / "train.ipynb") and made.program
    assert mlops.trail("churn")[0].actor.how == "pipeline"
    before = newest()
    mlops.pipeline(folder / "train.ipynb").run()
    assert newest() == before and "Cell 4 saved churn@1" in capfd.readouterr().out
    mlops.pipeline(folder / "train.ipynb").run(until="train", since="train")
    assert newest() == before, "until a step is no further"
    mlops.pipeline(folder / "train.ipynb").run()
    assert newest() == before + 1, "of a step that was computed since"


def test_an_alarm_leads_to_a_canary(folder: Path, service: mlops.Service, capsys: pytest.CaptureFixture[str]) -> None:
    drift(service)
    world(folder, 40)
    seen, before = len(mlops.trail("churn")), newest()
    begun = service.retrain(why="they are older")
    assert begun.phase == "running" and begun.words.startswith("retraining since ")
    with pytest.raises(Conflict, match=f"is being retrained already: {begun.by.name} began one"):
        service.retrain()
    assert "retraining since" in repr(service)
    until(lambda: (service.retraining or begun).phase != "running")
    done = service.retraining
    assert done is not None and done.phase == "canary", Path(begun.log).read_text()
    version = f"churn@{before + 1}"
    assert done.version_name == version and done.step == "train"
    assert done.words == f"retrained: {version} passed its gates, and is a canary"
    candidate = service.state.candidate
    assert candidate is not None and (candidate.version, candidate.way) == (before + 1, "canary")
    assert service.state.version == 1 and service.state.alarm is not None
    assert deeds(seen) == [
        ("other", "began to retrain", "churn@1"),
        ("pipeline", "saved", version),
        ("pipeline", "deployed", version),
    ]
    assert mlops.trail("churn")[-1].why == "retrained: they are older"
    assert "train (2 of 2)" in Path(done.log).read_text() and Path(done.log).stat().st_mode & 0o077 == 0
    assert main(["services"]) == 0 and f"churn: {done.words}" in capsys.readouterr().out
    assert main(["services", "show", "churn"]) == 0 and done.log in capsys.readouterr().out
    with pytest.raises(Conflict, match=f"{version} is tried beside churn@1"):
        service.retrain()
    champion = mlops.model("churn").champion
    assert champion is not None and champion.number == 1, "a canary that may go back is none"
    assert model_folder("churn").version(before + 1).verdict() is not None
    service.rollback()
    assert service.state.retraining is None, "of a canary that was taken back its own state tells"


def test_what_the_gates_refuse_is_not_deployed(folder: Path, service: mlops.Service) -> None:
    drift(service)
    world(folder, 40, noise=9000)
    champion = mlops.model("churn").state.aliases.champion
    seen = len(mlops.trail("churn"))
    done = service.retrain(wait=True)
    assert done.phase == "refused" and done.version == newest(), Path(done.log).read_text()
    assert "refused: accuracy: " in done.words and "at least 0.8" in done.words and done.words in repr(service)
    assert mlops.model("churn").state.aliases.champion == champion
    assert service.state.candidate is None and service.state.version == 1 and service.state.alarm is not None
    assert [verb for _, verb, _ in deeds(seen)] == ["began to retrain", "saved", "refused"]
    done = service.retrain(wait=True)
    assert done.phase == "failed" and "train.ipynb saved no version of churn" in done.words
    assert deeds(seen)[-1] == ("pipeline", "didn't retrain", "churn@1")


def test_where_nothing_can_be_tried_it_has_passed_only(folder: Path, service: mlops.Service) -> None:
    service.stop()
    world(folder, 41)
    done = service.retrain(wait=True)
    assert done.phase == "passed" and done.words.endswith("passed its gates, and isn't deployed: churn is stopped")
    assert mlops.model("churn").state.aliases.champion == 1 and service.state.phase == "stopped"


def test_a_step_may_save_the_model(folder: Path, service: mlops.Service) -> None:
    inside = f"{TRAIN}\nmlops.save_model(model, 'churn', valid=(X, y))"
    mlops.deploy("churn@1", pipeline=notebook(folder / "inside.ipynb", FIRST, LOAD, inside))
    done = service.retrain(wait=True)
    assert done.phase == "canary", Path(done.log).read_text()
    made = mlops.model("churn").version(done.version).record.made
    assert made.run and made.notebook == str(folder / "inside.ipynb")
    service.promote()
    told = service.state.retraining
    assert told is not None and told.words.endswith(f"yet: mlops.model('churn').promote({done.version})")
    mlops.model("churn").promote(done.version)
    assert service.state.retraining is None
    mlops.deploy("churn@1", pipeline="")


def test_what_can_not_be_retrained_is_said_at_once(folder: Path, service: mlops.Service) -> None:
    other = mlops.deploy("plain@1")
    try:
        with pytest.raises(NotFound, match="Nobody knows which notebook plain@1 comes from"):
            other.retrain()
        with pytest.raises(InvalidInput, match=r"train\.ipynb isn't the pipeline of plain: it saves churn"):
            mlops.deploy("plain@1", pipeline=folder / "train.ipynb")
        assert other.retraining is None
    finally:
        other.stop()
    with pytest.raises(NotFound, match="isn't there"):
        mlops.deploy("churn@1", pipeline=folder / "no.ipynb")
    path = notebook(folder / "other.ipynb", FIRST, SAVE)
    with pytest.raises(NotFound, match="no steps"):
        mlops.deploy("churn@1", pipeline=path)
    notebook(path, FIRST, "%%mlrun --step a\nx = unknown")
    with pytest.raises(InvalidInput, match="reads 'unknown'"):
        mlops.deploy("churn@1", pipeline=path)
    notebook(path, FIRST, LOAD, TRAIN, SAVE)
    mlops.deploy("churn@1", pipeline=path)
    path.unlink()
    with pytest.raises(NotFound, match=r"The notebook of churn@1 isn't there: it was .*other\.ipynb"):
        service.retrain()
    mlops.deploy("churn@1", pipeline="")
    with pytest.raises(InvalidSpec, match="its requests aren't logged"):
        mlops.deploy("churn@1", retrain="on alarm", log=0)
    with pytest.raises(InvalidSpec, match="retrain"):
        mlops.deploy("churn@1", retrain="always")
    rules = mlops.model("churn").gates
    mlops.model("churn").set_gates()
    try:
        with pytest.raises(InvalidSpec, match="churn has no gates"):
            mlops.deploy("churn@1", retrain="on alarm")
    finally:
        mlops.model("churn").set_gates(**rules.model_dump(exclude_defaults=True))


def retrainers(folder: Path) -> list[int]:
    """The processes that retrain in the home of a folder, and run its notebooks."""
    found = []
    for process in psutil.process_iter():
        try:
            what = " ".join(process.cmdline())
            ours = "serving.retrainer" in what or "notebook.drive" in what
            if ours and process.environ().get("JUPYTER_MLOPS_HOME") == str(folder / "home"):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def ended_by(number: int, folder: Path, service: mlops.Service) -> Retraining:
    """What is said of a retraining whose process got a signal in the middle, once all of its processes are gone."""
    begun = service.retrain()
    until(lambda: (service.retraining or begun).step == "slow")
    pids = retrainers(folder)
    leader = next(pid for pid in pids if "serving.retrainer" in " ".join(psutil.Process(pid).cmdline()))
    os.kill(leader, number)
    until(lambda: (service.retraining or begun).phase != "running")
    until(lambda: all(is_gone(pid) for pid in pids))
    return service.retraining or begun


def test_who_dies_is_said_to_be_dead_and_another_may_begin(folder: Path, service: mlops.Service) -> None:
    slow = notebook(folder / "slow.ipynb", FIRST, SLOW, LOAD, TRAIN, SAVE)
    mlops.deploy("churn@1", pipeline=slow)
    done = ended_by(signal.SIGKILL, folder, service)
    assert done.phase == "dead" and "was cut short: step slow" in done.words
    assert done.problem is not None and "Retrain it again" in done.problem.todo
    done = ended_by(signal.SIGTERM, folder, service)
    assert done.phase == "cancelled" and "was cancelled" in done.words and "step slow" in done.words
    (folder / "go").touch()
    world(folder, 42)
    done = service.retrain(wait=True)
    assert done.phase == "canary", Path(done.log).read_text()
    service.rollback()


def test_an_alarm_retrains_by_itself_where_somebody_said_so(folder: Path, service: mlops.Service) -> None:
    world(folder, 43)
    drift(service)
    assert due(time.time()) == []
    mlops.deploy("churn@1", retrain="on alarm", retrain_rows=1_000_000)
    clean(service)
    assert due(time.time()) == [], "not enough rows are new"
    mlops.deploy("churn@1", retrain_rows=300)
    until(lambda: (found := service.retraining) is not None and found.version and found.phase != "running")
    done = service.retraining
    assert done is not None and done.phase == "canary" and done.by.how == "pipeline", done
    assert done.why == service.state.alarm.what  # type: ignore[union-attr]
    service.rollback()
    assert service.state.alarm is not None and due(time.time()) == [], "once a day"
    tomorrow = time.time() + 25 * 3600
    assert due(tomorrow) == [], "it has learnt from these rows"
    X, _ = numbers(9, 400)
    service.predict(X)
    until(lambda: due(tomorrow) == ["churn"])


def test_a_long_log_is_cut_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    service = service_folder("churn").make()
    with retraining_folder(service).open_log() as log:
        for _ in range(MOST // 100_000 + 1):
            log.write(b"a line\n" * 20_000)
        log.flush()
        bound_logs(service.logs)
        log.write(b"the last line\n")
    text = retraining_folder(service).log.read_bytes()
    assert len(text) < MOST and b"\0" not in text and text.endswith(b"the last line\n")


def clean(service: mlops.Service) -> None:
    """As if it had never been retrained."""
    note(service, Retraining(service="churn", model="churn", phase="failed", began=time.time() - 2 * 86400))


def note(service: mlops.Service, retraining: Retraining) -> None:
    retraining_folder(service_folder(service.name)).note(retraining)


def test_an_alarm_waits_for_rows_for_others_and_for_counts(folder: Path, service: mlops.Service) -> None:
    drift(service)
    folder_ = service_folder("churn")
    now = time.time()
    # by a spec that the clock doesn't see: it would begin at once
    wanted = folder_.spec().model_copy(update={"retrain": "on alarm", "retrain_rows": 100})
    service.stop()
    state = folder_.state()
    assert state is not None
    alarm = Problem(what="age has changed")
    folder_.write_state(state.model_copy(update={"phase": "ready", "version": 1, "alarm": alarm}))
    folder_.write_spec(wanted)
    clean(service)
    try:
        assert due(now) == ["churn"]
        note(service, Retraining(service="churn", model="churn", phase="failed", began=now - 3600))
        assert due(now) == [], "once a day"
        note(service, Retraining(service="churn", model="churn", phase="failed", began=now + 2 * 86400))
        assert due(now) == ["churn"], "the clock was set back since"
        clean(service)
        watch = folder_.watch()
        assert watch is not None
        folder_.write_watch(watch.model_copy(update={"problem": Problem(what="What churn is asked isn't counted")}))
        assert due(now) == [], "of counts that fail nobody learns"
        folder_.write_watch(watch)
        ids = [row["request.id"] for _, row in service.requests(hours=1).iterrows()][:50]
        service.label(dict.fromkeys(ids, "left"))
        assert due(now) == [], "where somebody labels, rows with labels count"
        folder_.write_spec(wanted.model_copy(update={"retrain_rows": 50}))
        assert due(now) == ["churn"]
        folder_.write_state(state.model_copy(update={"phase": "ready", "version": 1}))
        assert due(now) == [], "no alarm"
    finally:
        folder_.write_state(state)
        folder_.write_spec(wanted.model_copy(update={"retrain": "by hand"}))
