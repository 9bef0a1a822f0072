"""A place that another package adds is all there: in the profiles, in what browsers are told, in the operations."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.client.clusters.listing import list_place

from ..client.conftest import Far, installed
from ..places.place import SHED
from .conftest import finished


@pytest.fixture
def far(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Far:
    """A place that goes away, with what it told last."""
    made = installed(tmp_path / "far", monkeypatch)
    asyncio.run(list_place("far"))
    made.goes_away()
    return made


@pytest.fixture
def shed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its package is installed."""
    monkeypatch.syspath_prepend(str(SHED))


@pytest.fixture
def jp_server_config(shed: None, far: Far, jp_server_config: Any) -> Any:
    """The server starts after the packages were installed, and after one of the places went away."""
    return jp_server_config


async def test_a_place_of_another_package(browse: Any, ask: Any) -> None:
    profiles = {view["profile"]["name"]: view["profile"] for view in await ask("GET", "profiles")}
    assert (profiles["corner"]["place"], profiles["corner"]["options"]) == ("shed", {"shelf": "low"})
    browser = await browse()
    await browser.until(lambda: browser.places)

    def estimate() -> Any:
        return next(view["estimate"] for view in browser.profiles if view["profile"]["name"] == "corner")

    await browser.until(lambda: estimate()["asked"])  # nobody waited for it
    assert (estimate()["at_start"], estimate()["at_most"], estimate()["source"]) == (2, 12, "its owner")
    titles = {name: place["title"] for name, place in browser.places.items()}
    assert titles == {"local": "this machine", "kubernetes": "Kubernetes", "shed": "the shed", "far": "far"}
    assert [name for name, place in browser.places.items() if place["has_spot"]] == ["kubernetes"]

    known = {name: (state["phase"], state["problem"]["what"]) for name, state in browser.clusters.items()}
    was_there = dict.fromkeys(("survey", "flights"), ("unreachable", "Far doesn't answer"))
    assert known == was_there, "a server that starts while a place is away knows what was there"
    (silent,) = browser.silent
    assert (silent["place"], silent["clusters"]) == ("far", 2) and silent["seen"]

    status, refused = await ask("PUT", "profiles/mine", {"place": "shed", "groups": [{}], "options": {"shelve": "low"}})
    assert status == 400 and "'options.shelve' is not a known field" in refused["why"]

    started = await ask("POST", "clusters", {"profile": "corner", "name": "tools"})
    assert (await finished(ask, started))["phase"] == "done"
    try:
        (state,) = [each for each in await ask("GET", "clusters") if each["place"] == "shed"]
        assert (state["name"], state["place"], state["phase"]) == ("tools", "shed", "running")
    finally:
        assert (await finished(ask, await ask("DELETE", "clusters/tools")))["phase"] == "done"
