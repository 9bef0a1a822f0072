"""Kernels that go before all of a run is sent: it is lost, and keeps no cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.controller.runs import registry
from jupyter_mlops.core.profile import Group, Limits

from .cluster import HeldClock, cluster, make_spec, until
from .test_limits import a_run, ended, receipt_of

RUN = "0123456789ab"


@pytest.mark.parametrize("detached", [False, True])
async def test_a_run_that_nobody_began_to_send_ends_with_its_kernel(tmp_path: Path, detached: bool) -> None:
    limits, clock = Limits(idle_timeout=1), HeldClock()
    async with cluster(make_spec(Group(workers=0), limits=limits), tmp_path, clock=clock) as c:
        async with c.client() as client:
            await c.link.open_run(a_run(RUN).model_copy(update={"detached": detached}), client.id)
        await until(lambda: c.controller.runs.get(RUN).state.phase == "lost")  # Dask hears of it a little later
        view = await c.link.watch_run(RUN, 0)
        assert view.run.phase == "lost" and view.run.error == "RunLost: The kernel that fed it is gone."
        clock.go()
        await ended(c)
        assert receipt_of(tmp_path).cause == "idle"


async def test_a_run_that_became_known_after_its_kernel_had_gone_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "GONE", 0.3)
    async with cluster(make_spec(Group(workers=0)), tmp_path) as c:
        await c.link.open_run(a_run(RUN), "Client-that-has-gone")
        view = await c.link.watch_run(RUN, 1)
        assert view.run.phase == "lost"


async def test_a_detached_run_that_was_sent_needs_no_kernel(tmp_path: Path) -> None:
    async with cluster(make_spec(Group(workers=1)), tmp_path) as c:
        await c.have(1)
        key = f"mlrun-{RUN}-0"
        async with c.client() as client:
            await c.link.open_run(a_run(RUN).model_copy(update={"detached": True}), client.id)
            sent = client.submit(abs, -7, key=key)
            await until(lambda: key in c.scheduler.tasks)  # who plans too early is to try again
            await c.link.plan_run(RUN, 1, [key])
            del sent
        await until(lambda: not c.scheduler.clients or set(c.scheduler.clients) <= {"fire-and-forget", "mlops-runs"})
        assert (await c.link.watch_run(RUN, 0, 0)).run.phase in ("starting", "running", "done")
        await until(lambda: c.controller.runs.get(RUN).state.phase == "done")
