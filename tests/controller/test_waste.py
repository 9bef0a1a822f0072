"""Workers that cost money and do nothing are named, and exactly they are let go."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pytest

from jupyter_mlops.controller.link import ClusterView
from jupyter_mlops.core.cluster import Receipt
from jupyter_mlops.core.errors import Conflict
from jupyter_mlops.core.idle import INTERVAL, Waste
from jupyter_mlops.core.price import HOUR, Price
from jupyter_mlops.core.profile import Group, Limits

from .cluster import MEMORY, PATIENCE, Cluster, cluster, folder_of, make_spec, until

_gate = threading.Event()


async def test_idle_workers_are_named_and_let_go_down_to_the_minimum(tmp_path: Path) -> None:
    """The clock goes on when it is told to, and by nothing else: so all that is idle is so for exactly so long."""
    began, moved = time.time(), 0.0

    def minutes(count: float) -> None:
        nonlocal moved
        for _ in range(round(count * 60 / INTERVAL)):
            moved += INTERVAL
            c.controller.look()

    spec = make_spec(
        Group(workers=4, minimum=3, maximum=4, memory=MEMORY),
        limits=Limits(idle_timeout=None, lifetime=None),
        price=Price(cpu_hour=6),
    )
    _gate.clear()
    async with cluster(spec, tmp_path, clock=lambda: began + moved) as c, c.client() as client:
        await c.have(4)
        held = await client.scatter(b"data", workers=[_address(c, "default-1")])
        runs = client.submit(_wait, workers=[_address(c, "default-2")])
        await until(lambda: c.controller.workers.entries["default-2"].processing)

        minutes(5)
        view = await c.link.view()
        waste = _told(view, "idle")
        assert (waste.workers, waste.of, waste.spare) == (2, 4, 0)
        assert re.fullmatch(r"2 of 4 workers idle for 5 min: \$0\.9. so far, \$12\.00/h", waste.sentence())
        assert {row.name for row in view.workers if row.waste == "idle"} == {"default-3", "default-4"}
        with pytest.raises(Conflict, match="none of them is idle any more"):
            await c.link.let_go(7)

        minutes(5)
        assert _told(await c.link.view(), "idle").spare == 1, "the group needs three"
        moved += 25  # since the last look at what its time is spent on
        [gone] = await c.link.let_go(7)
        assert gone in ("default-3", "default-4")
        waste = _told(await c.link.view(), "idle")
        assert (waste.workers, waste.of, waste.spare) == (1, 3, 0), "who goes is not told of any more"
        await c.have(3)
        view = await c.link.view()
        assert not any(row.waste for row in view.workers if row.name == gone)
        assert view.state.groups[0].wanted == 3 and gone not in c.workers()
        assert [event.text for event in view.events if gone in event.text and "let go" in event.text]

        nowhere = client.submit(_wait, pure=False, resources={"group:nowhere": 1})
        await until(lambda: c.scheduler.unrunnable)
        minutes(5)
        assert _told(await c.link.view(), "starved").workers == 2, "also the one that holds data"
        _gate.set()
        assert await runs is None
        del held, nowhere
    receipt = Receipt.model_validate_json((folder_of(tmp_path) / "receipt.json").read_text())
    assert receipt.spend is not None
    assert receipt.spend.hours.leaving < 25 / HOUR, "it left after it was let go, not since it was looked at last"
    assert receipt.spend.hours.total == pytest.approx(receipt.cost.usage.worker_hours, rel=1e-9)


def _told(view: ClusterView, kind: str) -> Waste:
    """What is told of that kind. A task that waits may be told as stuck besides: on a busy machine it gets no CPU."""
    (found,) = (each for each in view.state.waste if each.kind == kind)
    return found


def _address(c: Cluster, name: str) -> str:
    return next(ws.address for ws in c.scheduler.workers.values() if ws.name == name)


def _wait() -> None:
    assert _gate.wait(PATIENCE)
