"""Spot groups: on demand when no spot node comes, on spot when it is back, and a base that stays on demand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from jupyter_mlops.controller.pool import Notice
from jupyter_mlops.controller.runs.liverun import LiveRun
from jupyter_mlops.controller.runs.runcost import RunCost
from jupyter_mlops.core.cluster import Problem
from jupyter_mlops.core.ladder import Ladder
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group, Limits
from jupyter_mlops.core.run import RunState
from jupyter_mlops.core.spot import SpotTerms

from .cluster import MEMORY, Cluster, cluster, make_spec, until
from .pool import InProcessPool


class MarketPool(InProcessPool):
    """A place with nodes on demand, and, while it `has_spot`, with spot nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.has_spot = False
        self.on_demand: dict[str, bool] = {}

    async def create(self, group: Group, names: Sequence[str]) -> None:
        if group.spot and not self.has_spot:
            for name in names:
                self.groups[name] = group.name
                self.notify(Notice(name, "pending", on_demand=False))
            return
        for name in names:
            self.on_demand[name] = not group.spot
            self.notify(Notice(name, "pending", on_demand=not group.spot))
        await super().create(group, names)


def on_demand(c: Cluster, pool: MarketPool) -> list[bool]:
    """Of each connected worker whether it is on demand, the first ones on spot."""
    return sorted(pool.on_demand[name] for name in c.workers())


async def test_a_spot_group_goes_on_on_demand_and_is_on_spot_again(tmp_path: Path) -> None:
    pool = MarketPool()
    group = Group(workers=3, maximum=3, memory=MEMORY, spot=True, base=1)
    spec = make_spec(group, limits=Limits(restarts=0))
    async with cluster(spec, tmp_path, pool, spot=SpotTerms(patience=0.5, again=2)) as c:
        await until(lambda: on_demand(c, pool) == [True] * 3)
        pool.has_spot = True
        await until(lambda: on_demand(c, pool) == [False, False, True])
        told = [event.text for event in (await c.link.view()).events if event.kind == "scale"]
        assert told[0].startswith("No spot node came for group default in ")
        assert "Spot is tried again for group default: its workers on demand are replaced, one first" in told
        await c.have(3)
        assert on_demand(c, pool) == [False, False, True], "the base stays"
        killed = {name for name in c.workers() if not pool.on_demand[name]}
        for name in killed:
            await pool.kill(name, tell=False)
            pool.notify(Notice(name, "lost", Problem(what="It was taken away"), taken=True))
        await until(lambda: not set(c.workers()) & killed and on_demand(c, pool) == [False, False, True])
        assert all(group.problem is None for group in (await c.link.view()).state.groups), "no death counts of these"


@pytest.mark.parametrize(
    ("group", "by", "done", "part", "needed"),
    [
        (None, 400.0, 30, 0.3, 70 * 2.0),
        ("default", 400.0, 0, 0.0, None),
        ("other", 400.0, 30, None, None),
        (None, None, 30, None, None),
    ],
    ids=["on any group", "nothing done yet", "on another group", "without a deadline"],
)
def test_how_far_a_map_is_that_is_to_be_done_until_a_moment(
    group: str | None, by: float | None, done: int, part: float | None, needed: float | None
) -> None:
    start = time.time() - 100
    state = RunState(
        id="0123456789ab", name="a", kind="map", cluster="c", owner="me", created=start, group=group, total=100,
        phase="running", ladder=Ladder(by=None if by is None else start + by),
    )  # fmt: skip
    run = LiveRun(state, None, RunCost(Price(), lambda worker: None))
    for task in range(2):
        run.started(str(task), "w", start + 30 * task)
        run.paused(str(task), start + 30 * task + 30)
    state.done = done
    due = run.due("default", 1, start + 100)
    if part is None:
        assert due is None
    else:
        assert due is not None and (due.part, due.passed, due.whole) == pytest.approx((part, 100, 400))
        assert due.needed == (None if needed is None else pytest.approx(needed))
