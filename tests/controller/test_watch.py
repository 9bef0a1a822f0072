"""Watching a cluster: what changed, in order, not too often, and never silently lost."""

from __future__ import annotations

import asyncio
import ssl
import time
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.controller import changes as changes_module
from jupyter_mlops.controller import pulse, rpc
from jupyter_mlops.controller.changes import VIEW_INTERVAL, ChangeTracker
from jupyter_mlops.controller.link import ClusterView
from jupyter_mlops.controller.remote import open_link
from jupyter_mlops.core.errors import ClusterUnreachable, UnknownWorker
from jupyter_mlops.core.profile import Group
from jupyter_mlops.places import keys

from .cluster import PATIENCE, cluster, make_spec


async def test_a_watcher_sees_all_that_happens_by_resuming(tmp_path: Path) -> None:
    async with cluster(make_spec(Group(workers=0, maximum=4)), tmp_path) as c:
        view = await c.link.view()
        workers = {worker.name: worker for worker in view.workers}
        events = [event.seq for event in view.events]
        await c.link.scale(3)

        def done(view: ClusterView) -> bool:
            up = [worker for worker in workers.values() if worker.phase == "idle"]
            return len(up) == 3 and view.state.counts.idle == 3

        while not done(view):
            view = await c.link.watch(view.seq, timeout=30, workers=True)
            assert not view.whole
            workers |= {worker.name: worker for worker in view.workers}
            events += [event.seq for event in view.events]
        whole = await c.link.view()
        assert sorted(workers) == sorted(worker.name for worker in whole.workers)
        assert events == list(range(1, len(events) + 1)), "each event once, in order"


async def test_the_first_worker_and_the_last_that_is_wanted_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = 4 * PATIENCE
    for module, interval in ((changes_module, "VIEW_INTERVAL"), (pulse, "TOGETHER"), (rpc, "LONGEST")):
        monkeypatch.setattr(module, interval, far)

    async with cluster(make_spec(Group(workers=0, maximum=4)), tmp_path) as c:
        seen = (await c.link.view(workers=False)).seq
        view = await c.link.watch(seen - 1, timeout=30)  # from now on the next view is far off
        for wanted in (1, 3):
            began = time.monotonic()
            await c.link.scale(wanted)
            while view.state.counts.idle < wanted:
                view = await c.link.watch(view.seq, timeout=far)
            assert time.monotonic() - began < PATIENCE
            assert view.state.phase == "running"


async def test_without_workers_a_view_is_small(tmp_path: Path) -> None:
    async with cluster(make_spec(), tmp_path) as c:
        await c.have(2)
        assert (await c.link.view(workers=False)).workers == []


@pytest.mark.parametrize("seq", [0, 1, 10**15])
async def test_an_unknown_number_gives_everything_at_once(tmp_path: Path, seq: int) -> None:
    async with cluster(make_spec(), tmp_path) as c:
        await c.have(2)
        view = await c.link.watch(seq, timeout=30, workers=True)
        assert view.whole
        assert len(view.workers) == 2
        assert view.events[0].seq == 1


async def test_nothing_new_is_said_after_the_timeout(tmp_path: Path) -> None:
    changes = ChangeTracker()
    began = time.monotonic()
    assert not await changes.wait(changes.seq, {"run"}, 0.2)
    assert time.monotonic() - began >= 0.2


async def test_at_most_four_views_a_second() -> None:
    changes = ChangeTracker()
    seq, views = changes.seq, 0
    began = time.monotonic()

    async def busy() -> None:
        while True:
            changes.changed("worker", "w")
            await asyncio.sleep(0.001)

    task = asyncio.create_task(busy())
    while views < 5:
        assert await changes.wait(seq, {"worker"}, 30)
        seq, views = changes.seq, views + 1
    task.cancel()
    assert time.monotonic() - began >= 4 * VIEW_INTERVAL - 0.05


async def test_a_watcher_hears_only_of_what_it_asks_for() -> None:
    changes = ChangeTracker()
    waiting = asyncio.create_task(changes.wait(changes.seq, {"state"}, 60))
    await asyncio.sleep(0)
    changes.changed("worker", "w")
    await asyncio.sleep(0)
    assert not waiting.done()
    changes.changed("state")
    assert await waiting


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.booleans()), max_size=60), st.integers(0, 60))
def test_after_any_number_the_changes_lead_to_the_same_whole(steps: list[tuple[str, bool]], at: int) -> None:
    changes = ChangeTracker()
    listed: dict[str, int] = {}
    seen: dict[str, int] = {}
    seq = changes.seq
    for number, (key, there) in enumerate(steps):
        if number == at:
            seen, seq = dict(listed), changes.seq
        if there:
            listed[key] = number
            changes.changed("worker", key)
        elif key in listed:
            del listed[key]
            changes.dropped("worker", key)
    for key in changes.gone("worker", seq):
        seen.pop(key, None)
    seen |= {key: listed[key] for key in changes.after("worker", seq)}
    if at < len(steps) or not at:
        assert seen == listed


def test_more_dropped_than_is_remembered_gives_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes_module, "REMEMBERED", 3)
    changes = ChangeTracker()
    seq = changes.seq
    for name in "abcd":
        changes.changed("worker", name)
        changes.dropped("worker", name)
    assert not changes.knows(seq)
    assert changes.knows(changes.seq)


async def test_an_address_where_nothing_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterUnreachable, match="doesn't answer"):
        await open_link("tcp://127.0.0.1:9", timeout=0.5)


async def test_a_certificate_of_another_time_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours are valid at any time; those of older versions began a day before their cluster did."""
    monkeypatch.setattr(keys, "ALWAYS", (datetime(2050, 1, 1), datetime(2060, 1, 1)))
    made = keys.new_keys()
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    key.write_text(made.pairs["scheduler"].key)
    certificate.write_text(made.pairs["scheduler"].certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ClusterUnreachable, match=r"certificate is not yet valid\. The clock here says 20\d\d-"):
            client = keys.security(made.authority, client=made.pairs["client"])
            await open_link(f"tls://127.0.0.1:{port}", client, PATIENCE)


async def test_a_scheduler_without_a_controller_is_named() -> None:
    from distributed import Scheduler

    async with Scheduler(host="127.0.0.1", port=0, dashboard=False, dashboard_address="127.0.0.1:0") as scheduler:
        with pytest.raises(ClusterUnreachable, match="has no controller of ours"):
            await open_link(scheduler.address, timeout=PATIENCE)


async def test_logs_of_workers_and_scheduler(tmp_path: Path) -> None:
    async with cluster(make_spec(), tmp_path) as c:
        await c.have(2)
        assert await c.link.logs("default-1") == ["a line of default-1"]
        assert any("Register worker" in line for line in await c.link.logs())
        with pytest.raises(UnknownWorker, match="Did you mean 'default-"):
            await c.link.logs("default-9")


async def test_the_timeline_has_samples(tmp_path: Path) -> None:
    now = time.time()  # of which there is one sample, however long this takes
    async with cluster(make_spec(), tmp_path, clock=lambda: now) as c:
        samples = await c.link.timeline()
        assert samples[0].wanted == 2
        assert samples[0].amount is None
        assert await c.link.timeline(since=samples[-1].time) == []
        assert (await c.link.view()).state.timeline[:1] == samples[:1]
