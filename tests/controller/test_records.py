"""The cluster's files: complete, replayable, and patient with a full disk."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlops.controller.disk import Disk, open_private
from jupyter_mlops.controller.pool import Notice
from jupyter_mlops.controller.runs import handlers
from jupyter_mlops.controller.runs.restored import Restored
from jupyter_mlops.controller.timeline import CARD, POINTS, Timeline, card, thinned
from jupyter_mlops.core.cluster import Event, Problem, Receipt, Sample, Work
from jupyter_mlops.core.ledger import Ledger, LedgerEntry
from jupyter_mlops.core.lines import read_lines
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group, Limits
from jupyter_mlops.core.run import RunState
from jupyter_mlops.home.runs import RunFolder

from .cluster import MEMORY, PATIENCE, cluster, folder_of, make_spec, paid_for, until
from .pool import InProcessPool

RUN = "0123456789ab"

PRICE = Price(cpu_hour=3600, gb_hour=0, source="mine")


async def test_ledger_and_receipt_agree(tmp_path: Path) -> None:
    groups = (Group(name="a", workers=1, memory=MEMORY), Group(name="b", workers=1, cpus=2, memory=MEMORY))
    async with cluster(make_spec(*groups, price=PRICE), tmp_path) as c:
        await c.have(1, "a")
        await c.have(1, "b")
        state = (await c.link.view()).state
        assert state.cost.per_hour == 3 * 3600
        assert state.cost.source == "mine"
        await c.link.scale(0, group="a")
        await c.have(0, "a")
    folder = folder_of(tmp_path)
    receipt = Receipt.model_validate_json((folder / "receipt.json").read_text())
    entries = read_lines(LedgerEntry, (folder / "ledger.jsonl").read_text())
    assert [entry.kind for entry in entries] == ["open", "open", "close", "close"]
    ledger = Ledger(entries)
    assert ledger.open_workers == []
    assert receipt.cost == ledger.cost(PRICE, receipt.ended)
    assert receipt.cost.amount is not None
    assert receipt.cost.amount > 0
    assert receipt.cost.amount == pytest.approx(sum(cost.amount or 0 for cost in receipt.groups.values()))
    assert (folder / "ledger.jsonl").stat().st_mode & 0o077 == 0


async def test_the_ledger_s_file_shows_until_when_the_scheduler_lived(tmp_path: Path) -> None:
    async with cluster(make_spec(Group(workers=1)), tmp_path) as c:
        await c.have(1)
        file = folder_of(tmp_path) / "ledger.jsonl"
        await until(file.exists)
        os.utime(file, (0, 0))
        await until(lambda: file.stat().st_mtime > time.time() - 30)


async def test_a_new_scheduler_goes_on_where_the_old_one_was_killed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    folder.mkdir(parents=True)
    lines = [
        LedgerEntry(time=1000, kind="open", worker="default-4", group="default", cpus=1, memory=1e9),
        LedgerEntry(time=1000, kind="open", worker="default-7", group="default", cpus=1, memory=1e9),
    ]
    text = "".join(line.model_dump_json() + "\n" for line in lines) + '{"time": 1200, "kind": "clo'
    (folder / "ledger.jsonl").write_text(text)
    os.utime(folder / "ledger.jsonl", (4600, 4600))
    (folder / "spend.jsonl").write_text('{"group": "default", "seconds": {"computing": 1800, "idle": 900}}\n')
    (folder / "events.jsonl").write_text('{"seq": 1, "time": 990, "kind": "cluster", "text": "The cluster started"}\n')

    pool = InProcessPool()
    pool.present = [Notice("default-4", "starting")]
    pool.groups["default-4"] = "default"
    spec = make_spec(Group(workers=3), limits=Limits(lifetime=None))
    cause = Problem(what="The scheduler started again", why="The scheduler ran out of memory")
    earlier = Restored(work=Work(done=7, erred=2), cause=cause)
    async with cluster(spec, tmp_path, pool, earlier=earlier) as c:
        view = await c.link.view()
        assert view.state.started == 990
        assert (view.state.work.done, view.state.work.erred) == (7, 2)
        assert view.events[1].problem == cause
        assert [event.seq for event in view.events[:2]] == [1, 2]
        assert view.events[1].text == "The scheduler started again"
        await until(lambda: paid_for(tmp_path) == ["default-4"])  # the disk is written in the background
        assert c.controller.scaling.wanted == 1, "as many as there are, not as many as at first"
        await c.link.scale(2)
        await until(lambda: c.workers() == ["default-8"], lambda: str(c.workers()))
    entries = read_lines(LedgerEntry, (folder / "ledger.jsonl").read_text())
    gone = next(entry for entry in entries if entry.worker == "default-7" and entry.kind == "close")
    assert gone.time == 4600, "it cost money until the scheduler's last sign of life"
    receipt = Receipt.model_validate_json((folder / "receipt.json").read_text())
    assert receipt.spend is not None
    hours = receipt.spend.hours
    assert hours.computing == pytest.approx(0.5, abs=0.01) and hours.idle >= 0.25, "what was measured before counts on"
    assert hours.booting + hours.leaving < 0.1, "nothing is made up of the time before"
    assert hours.total == pytest.approx(receipt.cost.usage.worker_hours, rel=1e-9)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a few pages only."""
    path = tmp_path / "small"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(path)]
    if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system; the swapped opener's test covers the same")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


async def test_a_truly_full_disk(small_disk: Path) -> None:
    async with cluster(make_spec(Group(workers=0, maximum=3)), small_disk) as c:
        ballast = small_disk / "ballast"
        await c.link.scale(1)
        await c.have(1)
        with pytest.raises(OSError, match="No space left"), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 512)
        for _ in range(200):  # more to write than the whole disk holds, whatever room the last pages have left
            for count in (2, 0):
                await c.link.scale(count)
            if (await c.link.view()).state.problem is not None:
                break
        state = (await c.view_when(lambda view: view.state.problem)).state
        assert state.problem is not None
        assert state.problem.what == "The disk is full"
        assert state.problem.todo
        ballast.unlink()
        await c.view_when(lambda view: view.state.problem is None)
    folder = folder_of(small_disk)
    events = read_lines(Event, (folder / "events.jsonl").read_text())
    assert [event.seq for event in events] == list(range(1, len(events) + 1)), "nothing is missing, nothing is torn"
    assert (folder / "receipt.json").exists()


async def test_what_could_not_be_written_is_written_later_in_its_order(tmp_path: Path) -> None:
    full = True

    def opener(path: str, flags: int) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return open_private(path, flags)

    disk = Disk(tmp_path, opener)
    for number in range(100):
        disk.append("a", str(number))
    disk.replace("b", "one")
    disk.append("a", "100")
    assert not await disk.flush(0.5)
    await until(lambda: disk.problem is not None)
    full = False
    disk.retry()
    assert await disk.flush(PATIENCE)
    assert disk.problem is None
    assert disk.read("a").split() == [str(number) for number in range(101)]
    assert disk.read("b") == "one"
    await disk.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


async def test_who_hears_that_a_run_is_over_finds_it_so_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.open

    def slow(path: str, flags: int, *args: int, **more: int) -> int:
        if "record.json" in str(path):
            time.sleep(0.3)
        return really(path, flags, *args, **more)

    monkeypatch.setattr(os, "open", slow)
    monkeypatch.setattr(handlers, "WRITTEN", PATIENCE)  # who is kept from the CPU meanwhile hears it later
    async with cluster(make_spec(Group(workers=0)), tmp_path) as c:
        await c.link.open_run(RunState(id=RUN, name="it", kind="cell", cluster="c", owner="me", created=time.time()))
        closing = asyncio.create_task(c.link.close_run(RUN, "done"))
        while (view := await c.link.watch_run(RUN, 0, 0.05)).run.phase != "done":
            pass
        assert RunFolder(tmp_path / "runs" / RUN).record() == view.run.model_copy(update={"repeatable": False})
        await closing


async def test_a_run_that_a_full_disk_refused_is_written_when_there_is_room_though_nobody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, full, refused = os.open, True, 0

    def opened(path: str, flags: int, *args: int, **more: int) -> int:
        nonlocal refused
        if full and RUN in str(path):
            refused += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return really(path, flags, *args, **more)

    monkeypatch.setattr(os, "open", opened)
    async with cluster(make_spec(Group(workers=0)), tmp_path) as c:
        await c.link.open_run(RunState(id=RUN, name="it", kind="cell", cluster="c", owner="me", created=time.time()))
        await c.link.close_run(RUN, "done")
        await until(lambda: refused > 0)
        full = False
        folder = RunFolder(tmp_path / "runs" / RUN)
        await until(lambda: (folder.path / "record.json").exists() and folder.record().phase == "done")


async def test_however_many_runs_are_remembered_one_thread_writes(tmp_path: Path) -> None:
    def threads() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name.startswith("mlops-disk")}

    before, ids = threads(), [f"{number:012x}" for number in range(30)]
    async with cluster(make_spec(Group(workers=0)), tmp_path) as c:
        for id in ids:
            await c.link.open_run(RunState(id=id, name="it", kind="cell", cluster="c", owner="me", created=time.time()))
            await c.link.close_run(id, "done")
        phases = [(await c.link.watch_run(id, 0, 0.05)).run.phase for id in ids]
        assert phases == ["done"] * len(ids)
        assert len(threads() - before) == 1
    assert [RunFolder(tmp_path / "runs" / id).record().phase for id in ids] == phases


async def test_one_that_writes_all_the_time_keeps_no_other_waiting(tmp_path: Path) -> None:
    """Whatever it writes calls for more, which is there before it is through."""
    done = False

    def opener(path: str, flags: int) -> int:
        if not done and path.endswith("busy"):
            busy.append("busy", "more")
        return open_private(path, flags)

    first = Disk(tmp_path, opener)
    busy, other = first.beside(tmp_path), first.beside(tmp_path)
    busy.append("busy", "one")
    other.append("other", "one")
    assert await other.flush(PATIENCE)
    done = True
    await asyncio.gather(busy.close(PATIENCE), other.close())
    await first.close()
    assert other.read("other") == "one\n" and "more" in busy.read("busy")


async def test_a_cluster_on_a_full_disk_still_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def opener(path: str, flags: int) -> int:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    async with cluster(make_spec(), tmp_path, opener=opener) as c:
        await c.have(2)
        await c.link.stop()
        await until(lambda: c.scheduler.status.name == "closed")
        assert c.pool.closed
    assert any("The receipt could not be written" in record.message for record in caplog.records)


async def test_the_timeline_is_thinned_after_an_hour(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    timeline = Timeline(disk, 0.0)
    for second in range(5, 4 * 3600, 5):
        if timeline.due(second):
            timeline.add(_sample(second))
    assert len(timeline.since(3 * 3600 + 60)) > 600
    assert len(timeline.since(0)) < 720 + 720 + 3 * 60
    assert len(timeline.card) <= POINTS
    assert timeline.card[-1].time == timeline.since(0)[-1].time
    assert timeline.card[0].time > timeline.card[-1].time - CARD - 15
    await disk.close(PATIENCE)
    assert read_lines(Sample, disk.read("timeline.jsonl")) == timeline.since(0)


def test_a_card_s_points_don_t_move() -> None:
    samples = [_sample(second) for second in range(0, 2000, 5)]
    before, after = card(samples[:-1], samples[-2].time), card(samples, samples[-1].time)
    assert set(map(_time, before[2:-1])) <= set(map(_time, after))
    assert thinned(samples, 2000) == samples


def _time(sample: Sample) -> float:
    return sample.time


def _sample(time: float) -> Sample:
    return Sample(time=time, wanted=1, pending=0, running=1, busy=int(time) % 7)
