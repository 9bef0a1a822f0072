"""Services on Kubernetes whose alarms retrain them from here: which are looked at, whence, and what keeps from that."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kubernetes.aio")


import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.alert import ServiceWatch
from jupyter_mlops.core.board import SPLIT
from jupyter_mlops.core.callers import UsageDay
from jupyter_mlops.core.cluster import Problem
from jupyter_mlops.core.errors import InvalidSpec, NotFound
from jupyter_mlops.core.logged import LoggedRow
from jupyter_mlops.core.split import Move, Split
from jupyter_mlops.home.alarms import alarm_watch, alarm_watches, note_look
from jupyter_mlops.home.elsewhere import ElsewhereFolder, elsewhere_folder
from jupyter_mlops.home.models import model_folder
from jupyter_mlops.pipelines import clock
from jupyter_mlops.pipelines.alarms import EVERY, MOST, is_watched, unseen
from jupyter_mlops.places.kubernetes import names
from jupyter_mlops.places.kubernetes.services import hosting, wishes
from jupyter_mlops.places.kubernetes.services.wishes import settle
from jupyter_mlops.serving.alarmed import see_to
from jupyter_mlops.serving.find import hosting_of
from jupyter_mlops.serving.wishes import promoted

from .api import StoringApi
from .stored import Controller, api, call, keep_report, made, uid_of

__all__ = ["api"]  # a fixture

PIPELINE = ["%%mlrun --step load\nx = 1", "import jupyter_mlops as mlops\nmlops.save_model(x, 'total')"]


@pytest.fixture
def notebook(api: StoringApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With gates, the pipeline of the model, and no clock: what it would have done is done here, when it is asked."""
    monkeypatch.setattr(clock, "_start", lambda: None)
    mlops.model("total").set_gates(metrics={"r2": {"least": 0.5}})
    return _notebook(tmp_path / "train.ipynb", *PIPELINE)


def _notebook(path: Path, *cells: str) -> Path:
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source} for source in cells]}))
    return path


class Asker:
    """Pods that tell nothing new, so that what was seen before counts."""

    def __init__(self, *_: Any) -> None:
        self.pods: list[str] = []

    async def watches(self) -> list[ServiceWatch]:
        return []

    async def usage(self) -> dict[str, list[UsageDay]]:
        return {}


@pytest.fixture
def alarmed(api: StoringApi, notebook: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[mlops.Service]:
    """A service that an alarm is to retrain, with a pod, an alarm and 20 rows."""
    monkeypatch.setattr(hosting, "PodAsker", Asker)
    service = made(retrain="on alarm", retrain_rows=20, pipeline=notebook)
    Controller(api).pod()
    Controller(api).counts(1, observedGeneration=1)
    folder(api).see(lambda seen: seen.note(1, drift=Problem(what="age has changed")))
    log(api, 20)
    yield service
    assert all(each.service == "total" for each in alarm_watches())


def folder(api: StoringApi) -> ElsewhereFolder:
    return elsewhere_folder(uid_of(api.objects["secrets"]["total-service"]), "total")


def log(api: StoringApi, number: int) -> None:
    rows = [
        LoggedRow(id=f"{time.time()} {each}", time=time.time(), features="{}", answer="1.0") for each in range(number)
    ]
    folder(api).requests.add(rows, model_folder("total").version(1).record().digest, 1, "", "")


def look() -> None:
    """As the process does that the clock starts, if it starts one now."""
    if names := unseen(time.time()):
        asyncio.run(see_to(names))


def problem() -> str:
    watch = alarm_watch("total")
    assert watch is not None
    return str(watch.problem or "")


def test_an_alarm_retrains_it_when_it_is_looked_at(alarmed: mlops.Service, notebook: Path) -> None:
    _notebook(notebook, "%%mlrun --step load\nx = unknown")  # so that what comes of it comes at once
    assert is_watched() and unseen(time.time()) == ["total"] and alarmed.retraining is None
    look()
    done = alarmed.retraining
    assert done is not None and done.phase == "failed" and "reads 'unknown'" in done.words, done
    assert done.why == "age has changed" and done.by.how == "pipeline"
    assert [(each.verb, each.object) for each in mlops.trail("total")][-1] == ("didn't retrain", "total@1")
    assert unseen(time.time()) == [] and unseen(time.time() + EVERY) == ["total"]
    assert unseen(time.time() - 10) == ["total"], "the clock was set back since"
    note_look("total", time.time() - EVERY, None)
    look()
    assert alarmed.retraining == done, "once a day"


@pytest.mark.parametrize("lacks", ["rows", "alarm", "pod"])
def test_without_an_alarm_rows_or_a_pod_nothing_begins(alarmed: mlops.Service, api: StoringApi, lacks: str) -> None:
    if lacks == "rows":
        made(retrain_rows=21)
    elif lacks == "alarm":
        folder(api).see(lambda seen: seen.note(1, drift=None))
    else:
        api.objects["pods"].clear()
    look()
    watch = alarm_watch("total")
    assert watch is not None and watch.looked and watch.problem is None
    assert alarmed.retraining is None


def test_what_pods_have_decided_is_made_good_before_a_look_is_over(
    alarmed: mlops.Service, api: StoringApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process ends then."""

    async def settle_late(*found: Any) -> None:
        await asyncio.sleep(1)
        await settle(*found)

    monkeypatch.setattr(wishes, "settle", settle_late)
    api.objects["pods"].clear()
    mlops.deploy("total@2", canary=0.1, wait=False)
    template = api.of("deployments", "total")["spec"]["template"]
    board = str(template["spec"]["serviceAccountName"])
    split = Split.model_validate_json(api.kept(board, SPLIT))
    spec = promoted(split.within(call(hosting_of("kubernetes").spec("total"))))
    move = Move(time=1.0, verb="went on", object="total@2", before="total@2 as canary, 10 %", after="total@2 serves")
    api.keep(board, SPLIT, split.following(spec).model_copy(update={"moves": [move]}).model_dump_json())
    keep_report(api, board, Controller(api).pod(), revision=spec.revision, version=2)
    look()
    labels = api.of("deployments", "total")["spec"]["template"]["metadata"]["labels"]
    assert names.TRIAL not in labels and labels[names.VERSION] == "2"
    noted = [(each.verb, each.object, each.actor.how) for each in mlops.trail("total")]
    assert noted.count(("went on", "total@2", "router")) == 1


def test_by_hand_and_stopped_it_is_looked_at_no_more(alarmed: mlops.Service, api: StoringApi) -> None:
    made(retrain="by hand")
    assert not is_watched()
    main(["deploy", "total@1", "--retrain", "on-alarm"])
    assert is_watched()
    api.objects["pods"].clear()
    alarmed.stop()
    look()
    assert not is_watched()
    made()
    assert is_watched(), "deployed again it is as it was"
    alarmed.stop()
    main(["services", "forget", "total"])
    assert not is_watched()


def test_it_is_retrained_by_the_home_folder_that_deployed_it_last(
    alarmed: mlops.Service, notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tmp_path / "home", tmp_path / "other", ignore=shutil.ignore_patterns("alarms"))
    with monkeypatch.context() as other:
        other.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "other"))
        there = notebook.rename(notebook.with_name("elsewhere.ipynb"))
        with pytest.raises(NotFound, match="The notebook of total@1 isn't there"):
            mlops.deploy("total@1", wait=False)
        there.rename(notebook)
        mlops.deploy("total@1", wait=False)
        assert is_watched()
    assert is_watched()
    look()
    assert not is_watched() and alarmed.retraining is None
    with monkeypatch.context() as other:
        other.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "other"))
        assert is_watched()
        shutil.rmtree(tmp_path / "other" / "models" / "total" / "versions" / "1")
        look()
        assert "total@1, which total serves, isn't in this home folder" in problem()


def test_what_keeps_from_looking_is_said_and_tried_more_rarely(
    alarmed: mlops.Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = json.loads((tmp_path / "kubeconfig").read_text())
    config["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:9"
    for content, said in ((json.dumps(config), "Kubernetes doesn't answer"), (None, "total isn't found")):
        with monkeypatch.context() as away:
            path = tmp_path / "away"
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_text(content)
            away.setenv("KUBECONFIG", str(path))
            note_look("total", 0.0, None)
            look()
        assert re.match(rf"no alarm can retrain it since ..:..: {said}", alarmed.state.hint), alarmed.state.hint
        assert is_watched() and alarmed.retraining is None
    assert main(["services"]) == 0 and "no alarm can retrain it since" in capsys.readouterr().out
    note_look("total", 0.0, None)
    assert not alarmed.state.hint, "it was seen again"
    began = time.time()
    for late in (0, 3600):
        note_look("total", began + late, Problem(what="away"))
        pause = EVERY if not late else MOST
        assert unseen(began + late + pause - 60) == [] and unseen(began + late + pause) == ["total"]
    note_look("total", began + 40 * 86400, Problem(what="away"))
    assert not is_watched(), "for a month nobody has found it"


def test_what_can_not_be_retrained_is_refused_at_once(api: StoringApi, notebook: Path) -> None:
    with pytest.raises(NotFound, match="Nobody knows which notebook"):
        made(retrain="on alarm")
    service = made(retrain="on alarm", pipeline=notebook)
    with pytest.raises(InvalidSpec, match="its requests aren't logged"):
        made(log=0)
    mlops.model("total").set_gates()
    with pytest.raises(InvalidSpec, match="total has no gates"):
        made(retrain="on alarm")
    assert is_watched()
    service.stop()
