"""Accounts on a real Kubernetes: schedulers race for the last money, and one is killed while it holds some."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_mlops.client.clusters.accounts import settle
from jupyter_mlops.client.clusters.start import start
from jupyter_mlops.controller.link import ClusterView, Link
from jupyter_mlops.core.account import RENEWED, AccountBook
from jupyter_mlops.core.cluster import ClusterSpec
from jupyter_mlops.core.errors import ClusterUnreachable, Refused
from jupyter_mlops.home.owner import me

from .clusters import Namespace, in_thread, small, until, up

#: What an hour of a worker costs, and enough for one worker and a half.
RATE = 0.05 * 3600.0
LIMIT = 1.5 * RATE * RENEWED / 3600.0


async def test_two_schedulers_race_for_the_last_money_and_one_is_killed_while_it_holds_it(
    namespace: Namespace,
) -> None:
    backend = namespace.backend
    one, other = (_paid_by(namespace.spec(small(0)), me()) for _ in range(2))
    store = await backend.accounts(one.profile)
    assert store is not None
    await store.change(me(), lambda _: AccountBook(name=me(), limit=LIMIT))
    async with namespace.cluster(one) as (first, link), namespace.cluster(other) as (second, rival):
        answers = await asyncio.gather(link.scale(1), rival.scale(1), return_exceptions=True)
        (refused,) = [answer for answer in answers if answer is not None]
        assert isinstance(refused, Refused) and "held by 1 cluster" in refused.why
        if answers[0] is refused:
            first, link, rival = second, rival, link
        await until(link.view, lambda view: up(view) == 1, "the worker that is paid for")
        await in_thread(lambda: namespace.kube.kubectl(
            "delete", "pods", "-n", namespace.name, "-l",
            f"jupyter-mlops/cluster={first},jupyter-mlops/part=scheduler", "--grace-period=0", "--force",
        ))  # fmt: skip
        view = await until(
            lambda: _view(link), lambda view: view.state.account is not None and up(view) == 1, "it goes on"
        )
        assert view.state.account is not None and view.state.account.held > 0
        assert await _is_refused(rival), "what a scheduler held that was killed is still held"
        with pytest.raises(Refused, match=r"can't be started: 1 worker would cost .* held by 1 cluster"):
            await start(namespace.spec(small(1)).profile)

        await backend.stop(first, force=True)
        await until(lambda: backend.receipt(first), bool, "a receipt")
        (book,) = await settle(store, backend)
        assert book.spent + sum(hold.held for hold in book.holds.values()) < LIMIT
        assert book.spent > 0, "and what it cost is counted"
    await store.change(me(), lambda _: None)


async def _view(link: Link) -> ClusterView:
    while True:
        try:
            return await link.view()
        except ClusterUnreachable:
            await asyncio.sleep(0.5)


async def _is_refused(link: Link) -> bool:
    try:
        await link.scale(1)
    except Refused:
        return True
    return False


def _paid_by(spec: ClusterSpec, account: str) -> ClusterSpec:
    return spec.model_copy(update={"accounts": [account], "rates": {"default": RATE}})
