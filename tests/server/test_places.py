"""A place that another package adds is all there: in the profiles, in what browsers are told, in the operations."""

from __future__ import annotations

from typing import Any

import pytest

from ..places.place import SHED
from .conftest import finished


@pytest.fixture
def shed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its package is installed."""
    monkeypatch.syspath_prepend(str(SHED))


@pytest.fixture
def jp_server_config(shed: None, jp_server_config: Any) -> Any:
    """The server starts after the package was installed."""
    return jp_server_config


async def test_a_place_of_another_package(browse: Any, ask: Any) -> None:
    profiles = {view["profile"]["name"]: view["profile"] for view in await ask("GET", "profiles")}
    assert (profiles["corner"]["place"], profiles["corner"]["options"]) == ("shed", {"shelf": "low"})
    browser = await browse()
    await browser.until(lambda: browser.places)
    titles = {name: place["title"] for name, place in browser.places.items()}
    assert titles == {"local": "this machine", "kubernetes": "Kubernetes", "shed": "the shed"}
    assert [name for name, place in browser.places.items() if place["has_spot"]] == ["kubernetes"]

    status, refused = await ask("PUT", "profiles/mine", {"place": "shed", "groups": [{}], "options": {"shelve": "low"}})
    assert status == 400 and "'options.shelve' is not a known field" in refused["why"]

    started = await ask("POST", "clusters", {"profile": "corner", "name": "tools"})
    assert (await finished(ask, started))["phase"] == "done"
    try:
        (state,) = await ask("GET", "clusters")
        assert (state["name"], state["place"], state["phase"]) == ("tools", "shed", "running")
    finally:
        assert (await finished(ask, await ask("DELETE", "clusters/tools")))["phase"] == "done"
