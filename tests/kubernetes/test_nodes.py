"""Nodes are looked up once each, whatever the API says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_mlops.core.price import HostPrice, Price
from jupyter_mlops.places.kubernetes.api.client import Answer, Unreachable
from jupyter_mlops.places.kubernetes.runtime import nodes
from jupyter_mlops.places.kubernetes.runtime.nodes import Nodes
from jupyter_mlops.pricing import ByHand, Catalogue, Node

CATALOGUE = Catalogue(
    ByHand(Price(), {"big": 2.0}), nodes={"seen": Node("seen", "big", "r", "z", spot=False, cpus=4, memory=1e9)}
)


class FakeApi:
    """Answers for nodes as it is told to; counts what it is asked."""

    def __init__(self, answer: Callable[[str], dict[str, Any]]) -> None:
        self.asked: list[str] = []
        self._answer = answer

    def path(self, kind: str, name: str = "", namespace: str | None = None) -> str:
        return name or "*"

    async def request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        self.asked.append(path)
        return self._answer(path)


def node(name: str) -> dict[str, Any]:
    labels = {"node.kubernetes.io/instance-type": "big"}
    return {"metadata": {"name": name, "labels": labels}, "status": {"capacity": {"cpu": "4", "memory": "1G"}}}


async def priced(api: FakeApi, *names: str) -> dict[str, HostPrice]:
    found: dict[str, HostPrice] = {}
    done = asyncio.Event()

    def told(name: str, price: HostPrice) -> None:
        assert name not in found, "once each"
        found[name] = price
        if set(names) <= set(found):
            done.set()

    looked_up = Nodes(api, CATALOGUE, told)  # type: ignore[arg-type]  # all that it uses
    task = asyncio.create_task(looked_up.run())
    for name in [*names, *names]:
        looked_up.see(name)
    await asyncio.wait_for(done.wait(), 150)
    task.cancel()
    return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "GATHER", 0.01)
    monkeypatch.setattr(nodes, "RETRY", 0.01)


async def test_a_few_are_asked_for_and_many_are_listed() -> None:
    api = FakeApi(lambda name: {"items": [node(f"n{i}") for i in range(7)]} if name == "*" else node(name))
    few = await priced(api, "n1", "n2")
    assert api.asked.count("n1") == api.asked.count("n2") == 1 and len(api.asked) == 2
    assert {price.per_hour for price in few.values()} == {2.0}
    api.asked.clear()
    many = await priced(api, *(f"n{i}" for i in range(8)))
    assert api.asked == ["*", "n7"], "what a list hasn't yet is asked for"
    assert len(many) == 8 and {price.per_hour for price in many.values()} == {2.0}


async def test_what_may_not_be_read_is_as_it_was_seen_at_the_start() -> None:
    def refuse(name: str) -> dict[str, Any]:
        raise Answer(403, {"message": "nodes is forbidden"})

    api = FakeApi(refuse)
    found = await priced(api, "seen", "new")
    assert len(api.asked) == 1, "who is refused doesn't ask on"
    assert found["seen"].per_hour == 2.0
    assert found["new"].per_hour is None
    assert found["new"].rates.source == "the price of new isn't known: nodes may not be read"


async def test_a_node_that_is_gone_and_an_api_that_is_away() -> None:
    answers = iter([Unreachable("away"), Answer(500, {}), Answer(404, {"message": "not found"})])

    def answer(name: str) -> dict[str, Any]:
        raise next(answers)

    found = await priced(FakeApi(answer), "gone")
    assert found["gone"].rates.source == "the price of gone isn't known: the node is gone"
