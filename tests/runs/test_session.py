"""What runs of one kernel share: the connection to their cluster."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.client.clusters.kernel import kernel, loop_thread
from jupyter_mlops.client.clusters.session import Session

from .cluster import LONG

#: More than a fetch of results has steps until it is on its way.
STEPS = 20


def test_a_wait_that_is_cut_short_takes_no_other_along(cluster: mlops.Cluster) -> None:
    """Dask fetches what several wait for at once; wherever one of them is cancelled, the others get their results."""

    async def cut_short() -> None:
        shared = await kernel().sessions.open(cluster.name)
        first, second = (shared.client.submit(abs, number, pure=False) for number in (-1, -2))
        assert await shared.result(first) == 1 and await shared.result(second) == 2
        for steps in range(STEPS):
            cancelled, other = (asyncio.ensure_future(shared.result(future)) for future in (first, second))
            for _ in range(steps):
                await asyncio.sleep(0)
            cancelled.cancel()
            assert await asyncio.wait_for(other, LONG) == 2, f"after {steps} steps"
        assert await asyncio.wait_for(shared.result(first), LONG) == 1

    loop_thread().call(cut_short())


def test_a_result_is_asked_for_again_when_the_way_to_it_breaks(
    cluster: mlops.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is made while the network is away is given up sooner than one that was open."""
    fetch, breaks = Session.result, [OSError("timed out"), asyncio.CancelledError(), asyncio.TimeoutError()]

    async def fetch_at_last(self: Session, future: Any) -> Any:
        result = await fetch(self, future)
        if breaks:
            raise breaks.pop()
        return result

    monkeypatch.setattr(Session, "result", fetch_at_last)
    assert mlops.map(abs, [-1, -2], cluster=cluster).result(LONG) == [1, 2]
    assert not breaks
