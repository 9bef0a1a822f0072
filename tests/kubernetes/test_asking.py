"""PodQueue for pods: many at a time, slowly while the API refuses."""

from __future__ import annotations

import asyncio

from jupyter_mlops.core.cluster import Problem
from jupyter_mlops.places.kubernetes.api import asking
from jupyter_mlops.places.kubernetes.api.asking import AT_ONCE, PodOrder, PodQueue
from jupyter_mlops.places.kubernetes.api.client import Answer

QUOTA = {"message": "exceeded quota: ten, requested: pods=1, used: pods=10, limited: pods=10"}


class Namespace:
    """An API that has room for so many pods."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.made: list[str] = []
        self.requests = 0
        self.at_once = self.most_at_once = 0

    async def make(self, order: PodOrder) -> None:
        self.requests += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        if len(self.made) >= self.room:
            raise Answer(403, QUOTA)
        self.made.append(order.worker)


def orders(count: int) -> list[PodOrder]:
    return [PodOrder(f"w-{number}", dict) for number in range(count)]


async def until(what, seconds: float = 20.0) -> None:  # type: ignore[no-untyped-def]
    deadline = asyncio.get_running_loop().time() + seconds
    while not what():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


async def test_so_many_at_once_and_all_of_them() -> None:
    namespace, refused = Namespace(1000), list[str]()
    ask = PodQueue(namespace.make, lambda worker, problem: refused.append(worker))
    ask.ask(orders(500))
    await until(lambda: len(namespace.made) == 500)
    assert namespace.most_at_once == AT_ONCE
    assert sorted(namespace.made) == sorted(order.worker for order in orders(500))
    assert not refused
    await ask.close()


async def test_a_full_quota_is_told_to_all_that_wait_and_not_hammered(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(asking, "SHORTEST", 0.05)

    namespace, refused = Namespace(10), dict[str, Problem]()
    ask = PodQueue(namespace.make, refused.__setitem__)
    ask.ask(orders(50))
    await until(lambda: len(refused) == 40)
    assert len(namespace.made) == 10
    assert {problem.what for problem in refused.values()} == {"The namespace's quota 'ten' is used up"}
    before = namespace.requests
    await asyncio.sleep(0.5)
    assert namespace.requests - before <= 5
    namespace.room = 50
    await until(lambda: len(namespace.made) == 50)
    assert sorted(namespace.made) == sorted(order.worker for order in orders(50))
    await ask.close()


async def test_what_is_asked_for_after_all_was_withdrawn_is_let_in_at_once() -> None:
    """What an earlier one was refused for says nothing of it."""
    namespace, refused = Namespace(0), list[str]()
    ask = PodQueue(namespace.make, lambda worker, problem: refused.append(worker))
    ask.ask(orders(1))
    await until(lambda: refused and not ask.under_way)
    assert ask.withdraw(["w-0"]) == ["w-0"]
    namespace.room = 1
    ask.ask([PodOrder("other", dict)])
    await until(lambda: namespace.made == ["other"], asking.SHORTEST / 2)
    assert refused == ["w-0"]
    await ask.close()


async def test_what_was_withdrawn_is_never_asked_for(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(asking, "SHORTEST", 0.05)

    namespace = Namespace(10)
    ask = PodQueue(namespace.make, lambda worker, problem: None)
    ask.ask(orders(50))
    await until(lambda: len(namespace.made) == 10 and not namespace.at_once)
    waiting = [order.worker for order in orders(50) if order.worker not in namespace.made]
    gone = ask.withdraw(waiting[:30])
    assert sorted(gone) == sorted(waiting[:30])
    namespace.room = 50
    await until(lambda: len(namespace.made) == 20)
    assert not set(namespace.made) & set(gone)
    await ask.close()
