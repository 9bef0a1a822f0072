"""A thousand workers that change twice a second, all followed: what it costs the server.

The controller is simulated, in a process of its own; the wire, the server and the stream are real.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops import places

from .conftest import PATIENCE

FOLDER = Path(__file__).parents[2] / "benchmarks" / "simulated"

WORKERS = 1000


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[Any]:
    sys.path.insert(0, str(FOLDER))
    monkeypatch.setenv("JUPYTER_MLOPS_SIMULATED", str(WORKERS))
    assert "simulated" in places.names()
    import simulated_place

    simulated_place.restart()
    yield simulated_place
    simulated_place.end()
    sys.modules.pop("simulated_place")
    sys.path.remove(str(FOLDER))


async def test_a_thousand_workers_are_followed(simulated: Any, browse: Any, ask: Any) -> None:
    browser = await browse(follow_clusters=["simulated"])
    await browser.until(lambda: len(browser.workers.get("simulated", {})) == WORKERS)
    assert browser.clusters["simulated"]["counts"]["lost"] == 0
    assert len(str(browser.clusters["simulated"])) < 40_000, "a card is as small as with four workers"

    started, messages, changed = time.monotonic(), browser.messages, 0
    while (took := time.monotonic() - started) < 5.0 or (changed <= WORKERS / 2 and took < PATIENCE):
        message = await browser.read()
        changed += sum(len(change["value"]) for change in message["changes"] if change["noun"] == "workers")
    assert (browser.messages - messages) / (time.monotonic() - started) <= 4.5, "many changes are told together"
    assert changed > WORKERS / 2

    scaled = await ask("PATCH", "clusters/simulated", {"workers": 10})
    await browser.until(lambda: len(browser.workers["simulated"]) == 10)
    assert scaled["kind"] == "scale"
