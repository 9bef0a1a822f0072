"""What runs of one kernel share: the connection to their cluster."""

from __future__ import annotations

import asyncio

import jupyter_mlops as mlops
from jupyter_mlops.runs.portal import portal
from jupyter_mlops.runs.session import session

from .cluster import LONG

#: More than a fetch of results has steps until it is on its way.
STEPS = 20


def test_a_wait_that_is_cut_short_takes_no_other_along(cluster: mlops.Cluster) -> None:
    """Dask fetches what several wait for at once; wherever one of them is cancelled, the others get their results."""

    async def cut_short() -> None:
        shared = await session(cluster.name)
        first, second = (shared.client.submit(abs, number, pure=False) for number in (-1, -2))
        assert await shared.result(first) == 1 and await shared.result(second) == 2
        for steps in range(STEPS):
            cancelled, other = (asyncio.ensure_future(shared.result(future)) for future in (first, second))
            for _ in range(steps):
                await asyncio.sleep(0)
            cancelled.cancel()
            assert await asyncio.wait_for(other, LONG) == 2, f"after {steps} steps"
        assert await asyncio.wait_for(shared.result(first), LONG) == 1

    portal().call(cut_short())
