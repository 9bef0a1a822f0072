"""Models over the server's routes."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jupyter_server.auth.authorizer import AllowAllAuthorizer, Authorizer
from traitlets.config import Config

import jupyter_mlops as mlops
from jupyter_mlops.home.models import model_folder
from jupyter_mlops.home.services import WANTED, service_folder
from jupyter_mlops.serving.retrained import retraining_of

from ..runs.cluster import until


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with two versions, saved once: to save takes seconds of a CPU."""
    path = tmp_path_factory.mktemp("saved") / "home"
    valid = (np.ones((20, 1)), np.full(20, 2.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_MLOPS_HOME", str(path))
        for value in (2.0, 2.5):
            mlops.save_model(lambda X, value=value: np.full(len(X), value), "ones", valid=valid)
        mlops.model("ones").set_gates(metrics={"rmse": {"most": 0.1}}, latency="10s")
    return path


@pytest.fixture
def ones(saved: Path, home: Path) -> mlops.Model:
    """These versions in the test's own home."""
    shutil.copytree(saved, home, dirs_exist_ok=True)
    return mlops.model("ones")


async def test_models_are_seen_and_promoted_with_the_gates_figures(ask: Any, ones: mlops.Model) -> None:
    (state,) = await ask("GET", "models")
    assert [each["number"] for each in state["versions"]] == [2, 1] and state["gated"]
    status, refused = await ask("POST", "models/ones/promote", {"version": 2, "why": "later"})
    assert (status, refused["error"]) == (409, "GatesFailed") and "rmse: 0.5" in refused["why"]
    verdict = await ask("POST", "models/ones/promote", {"version": 1, "why": "right", "expected": 0})
    assert [each["passed"] for each in verdict["results"]] == [True, True]
    status, late = await ask("POST", "models/ones/promote", {"version": 2, "override": "now", "expected": 0})
    assert status == 409 and "has promoted ones@1 meanwhile" in late["why"]
    view = await ask("GET", "models/ones")
    assert view["model"]["aliases"]["champion"] == 1 and view["gates"]["latency"] == 10
    assert [(each["verb"], each["actor"]["how"], each["why"]) for each in view["trail"][3:]] == [
        ("refused", "sidebar", "later"),
        ("promoted", "sidebar", "right"),
    ]
    assert {each["version"] for each in view["verdicts"]} == {1, 2}
    looked = await ask("GET", "models/ones/versions/1/verify")
    assert [(each["what"], each["passed"]) for each in looked] == [
        ("files", True),
        ("environment", True),
        ("trail", True),
    ]
    told = model_folder("ones").summary()
    assert (told.champion, told.newest, told.metric, told.failed) == (1, 2, "rmse", ["rmse"])
    assert (await ask("GET", "models/ones/versions/1/card"))["card"].startswith("---\n")


class AllBut(Authorizer):
    """Lets everybody do everything, but with one resource."""

    resource = ""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return resource != self.resource


def unread_service(name: str) -> None:
    """A service that is listed as one whose record can't be read."""
    (service_folder(name).make().path / WANTED).write_text("nonsense")


@pytest.mark.parametrize(("resource", "hidden"), [("mlops:models", "models"), ("mlops:services", "services")])
async def test_the_stream_tells_who_may_not_look_no_more_than_the_routes_do(
    resource: str,
    hidden: str,
    ask: Any,
    browse: Any,
    ones: mlops.Model,
    jp_serverapp: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unread_service("first")
    owner = await browse()
    await owner.until(lambda: owner.models and owner.services)
    authorizer = AllBut(parent=jp_serverapp)
    authorizer.resource = resource
    monkeypatch.setitem(jp_serverapp.web_app.settings, "authorizer", authorizer)
    assert (await ask("GET", hidden))[0] == 403
    other = await browse()
    await other.until(lambda: other.seq >= owner.seq > 0)
    assert not getattr(other, hidden) and (other.models or other.services)
    ones.describe(owner="ada")
    unread_service("second")
    await owner.until(lambda: owner.models[0]["owner"] == "ada" and len(owner.services) == 2)
    await other.until(lambda: other.seq >= owner.seq)
    assert not getattr(other, hidden)
    assert hidden == "models" or other.models == owner.models
    assert hidden == "services" or other.services == owner.services


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "models/nobody", None, 404),
        ("GET", "models/ones/versions/9/card", None, 404),
        ("GET", "models/ones/versions/9/verify", None, 404),
        ("GET", "models/ones/versions/%2e%2e/card", None, 404),
        ("POST", "models/ones/promote", {}, 400),
        ("POST", "models/ones/promote", {"version": "x"}, 400),
        ("POST", "models/ones/promote", {"version": 1, "who": "me"}, 400),
        ("POST", "models/nobody/promote", {"version": 1}, 404),
        ("POST", "models/ones/promote", {"version": 9}, 404),
    ],
)
async def test_what_is_wrong_is_said(
    ask: Any, ones: mlops.Model, method: str, path: str, body: Any, status: int
) -> None:
    answer = await ask(method, path, body)
    assert answer[0] == status and answer[1]["what"]


async def test_a_version_has_its_notebook_and_a_run_its_versions(
    ask: Any, home: Path, jp_root_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = jp_root_dir / "work" / "train.ipynb"
    book.parent.mkdir()
    book.write_text('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}')
    monkeypatch.setenv("JPY_SESSION_NAME", str(book))
    mlops.save_model(len, "churn")
    told = await ask("GET", "models/churn/versions/1/notebook")
    assert (
        told["folder"] == "work" and told["name"].startswith("churn@1 as of ") and len(told["notebook"]["cells"]) == 1
    )
    monkeypatch.setenv("JPY_SESSION_NAME", str(home / "elsewhere.ipynb"))
    mlops.save_model(len, "churn")
    status, none = await ask("GET", "models/churn/versions/2/notebook")
    assert status == 404 and none["what"] == "churn@2 has no notebook"
    folder = model_folder("churn").version(1)
    record = folder.record()
    folder.write_record(record.model_copy(update={"made": record.made.model_copy(update={"run": "a" * 12})}))
    assert await ask("GET", f"runs/{'a' * 12}/versions") == {"versions": ["churn@1"]}
    assert await ask("GET", "runs/nobody/versions") == {"versions": []}


class Careful(Authorizer):
    """Everybody may promote, nobody may override."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return (action, resource) != ("execute", "mlops:promote")


class TestWhereNobodyMayOverride:
    @pytest.fixture
    def jp_server_config(self, jp_server_config: Config) -> Config:
        jp_server_config.ServerApp.authorizer_class = Careful
        return jp_server_config

    async def test_an_override_needs_a_right(self, ask: Any, ones: mlops.Model) -> None:
        status, _ = await ask("POST", "models/ones/promote", {"version": 2, "override": "I want it"})
        assert status == 403 and ones.champion is None
        assert (await ask("POST", "models/ones/promote", {"version": 1}))["version"] == 1


async def test_a_version_is_deployed_tried_and_stopped(ask: Any, ones: mlops.Model) -> None:
    status, refused = await ask("POST", "services", {"model": "ones"})
    assert (status, refused["error"]) == (404, "UnknownVersion") and "ones has no champion" in refused["what"]
    status, refused = await ask("POST", "services", {"model": "ones", "version": 1, "replica": 2})
    assert status == 400 and "'replica' is not a known field" in refused["why"]
    served = await ask("POST", "services", {"model": "ones", "version": 1, "log": 1})
    assert (served["phase"], served["version"], served["address"][:17]) == ("ready", 1, "http://127.0.0.1:")
    assert [each["name"] for each in await ask("GET", "services")] == ["ones"]
    records = (await ask("GET", "services/ones/example"))["records"]
    heard_first = heard = await ask("POST", "services/ones/try", {"records": records})
    assert (heard["status"], heard["answer"]["predictions"]) == (200, [2.0, 2.0])
    heard = await ask("POST", "services/ones/try", {"records": [["much"]]})
    assert heard["status"] == 400 and "must be a number" in heard["answer"]["error"]
    assert (await ask("DELETE", "services/ones"))["phase"] == "stopped"
    watch = await ask("GET", "services/ones/watch")
    assert (watch["open"]["rows"], watch["baseline"], watch["words"]) == (2, 20, "as in the baseline"), watch
    assert [each["name"] for each in watch["features"]] == ["0", "answer"]
    good = await ask("GET", "services/ones/performance")
    assert good["words"].startswith("rmse isn't known: no labels yet, and can't be estimated: a number says nothing")
    id = heard_first["answer"]["id"]
    joined = await ask("POST", "services/ones/labels", {"labels": {f"{id}/0": 2, f"{id}/1": 3.0, "nobody": 1}})
    assert joined["words"] == "2 labels are new; 1 is unknown: nobody"
    good = await ask("GET", "services/ones/performance")
    assert (good["whole"]["labelled"], good["whole"]["value"]) == (2, 0.5**0.5) and good["before"]["value"] == 0
    status, refused = await ask("POST", "services/ones/labels", {"labels": "/etc/passwd"})
    assert status == 400 and refused["what"] == "There are no labels"
    assert await ask("POST", "services/ones/forget", {"key": "anna"}) == {"rows": 0}
    status, refused = await ask("POST", "services/ones/forget", {"key": ""})
    assert status == 400 and "Whose requests" in refused["what"]
    status, away = await ask("POST", "services/ones/try", {"records": records})
    assert status == 503 and "is stopped" in away["what"]
    told = (await ask("GET", "models/ones"))["trail"][-3:]
    assert [(each["verb"], each["actor"]["how"], each["service"]) for each in told] == [
        ("deployed", "sidebar", "ones"),
        ("stopped", "sidebar", "ones"),
        ("forgot a key", "sidebar", "ones"),
    ]
    assert (await ask("DELETE", "services/nobody"))[0] == 404


async def test_a_version_is_tried_beside_another_over_the_routes(ask: Any, ones: mlops.Model) -> None:
    assert (await ask("POST", "services", {"model": "ones", "version": 1}))["version"] == 1
    status, refused = await ask("POST", "services", {"model": "ones", "version": 2, "way": "canary", "share": "0.1"})
    assert status == 400 and "share" in refused["why"]
    served = await ask("POST", "services", {"model": "ones", "version": 2, "way": "canary", "share": 0.1, "why": "try"})
    assert (served["version"], served["candidate"]["version"], served["candidate"]["share"]) == (1, 2, 0.1)
    seen = served["wanted"]
    told = await ask("PATCH", "services/ones", {"share": 0.25, "why": "faster", "expected": seen})
    assert told["wanted"] != seen
    status, refused = await ask("PATCH", "services/ones", {"paused": False, "expected": seen})
    assert (status, refused["error"]) == (409, "Conflict")
    status, refused = await ask("PATCH", "services/ones", {"shares": 0.5})
    assert status == 400 and "'shares' is not a known field" in refused["why"]
    assert (await ask("GET", "services/ones/comparison"))["candidate"]["version"] == 2
    told = await ask("POST", "services/ones/rollback", {"why": "no"})
    assert (told["version"], told["candidate"]["phase"]) == (1, "back")
    status, refused = await ask("POST", "services/ones/promote", {})
    assert status == 409 and "No version is tried" in refused["what"]
    await ask("POST", "services", {"model": "ones", "version": 2, "way": "ab", "share": 0.5})
    told = await ask("POST", "services/ones/promote", {"why": "yes"})
    assert (told["version"], told["candidate"], told["previous"]) == (2, None, 1)
    assert (await ask("POST", "services/ones/rollback", {}))["version"] == 1
    assert (await ask("DELETE", "services/ones"))["phase"] == "stopped"
    trail = [(each["verb"], each["actor"]["how"], each["after"]) for each in (await ask("GET", "models/ones"))["trail"]]
    assert trail[-8:] == [
        ("deployed", "sidebar", "ones@1"),
        ("deployed", "sidebar", "ones@2 as canary, 10 %"),
        ("split", "sidebar", "25 %, paused"),
        ("rolled back", "sidebar", "ones@1"),
        ("deployed", "sidebar", "ones@2 as A/B test, 50 %"),
        ("deployed", "sidebar", "ones@2"),
        ("rolled back", "sidebar", "ones@1"),
        ("stopped", "sidebar", ""),
    ]


class Operator(Authorizer):
    """Everybody may deploy; to run code is for others."""

    denied = ("execute", "jupyter-mlops")

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return (action, resource) != self.denied


async def test_a_service_is_retrained_by_who_may_run_code(
    ask: Any, ones: mlops.Model, tmp_path: Path, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = {"model": "ones", "version": 1}
    served = await ask("POST", "services", deployment)
    try:
        assert served["retraining"] is None
        status, unknown = await ask("POST", "services/ones/retrain", {})
        assert status == 404 and "Nobody knows which notebook ones@1 comes from" in unknown["what"]
        cells = ["limit = 1 / 0", "%%mlrun --step a\nx = limit"]
        notebook = tmp_path / "train.ipynb"
        notebook.write_text(json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells]}))
        named = {**deployment, "pipeline": str(notebook)}
        monkeypatch.setitem(jp_serverapp.web_app.settings, "authorizer", Operator(parent=jp_serverapp))
        assert (await ask("POST", "services", named))[0] == 403
        assert (await ask("POST", "services", {**deployment, "retrain": "on alarm"}))[0] == 403
        assert (await ask("POST", "services/ones/retrain", {}))[0] == 403
        monkeypatch.setitem(jp_serverapp.web_app.settings, "authorizer", AllowAllAuthorizer(parent=jp_serverapp))
        assert (await ask("POST", "services", named))["phase"] == "ready"
        assert (await ask("POST", "services/ones/retrain", {"why": 3}))[0] == 400
        begun = await ask("POST", "services/ones/retrain", {"why": "drift"})
        assert begun["phase"] == "running" and begun["by"]["how"] == "sidebar" and begun["why"] == "drift"
        done = await asyncio.to_thread(_over)
        assert done["phase"] == "failed" and "ZeroDivisionError" in done["words"], done
        (listed,) = await ask("GET", "services")
        assert listed["retraining"]["words"] == done["words"]
    finally:
        await ask("DELETE", "services/ones")


def _over() -> dict[str, Any]:
    until(lambda: (found := retraining_of("ones")) is not None and found.phase != "running")
    found = retraining_of("ones")
    assert found is not None
    return found.model_dump()
