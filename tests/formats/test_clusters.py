"""A cluster of this machine whose files another version wrote, or a crash spoilt, is still there."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from jupyter_mlops.core.errors import ClusterUnreachable, Conflict, NameTaken, Unreadable
from jupyter_mlops.home.clusters import EVENTS, LEDGER, RECEIPT, RECORD, RUNS, SPEC, TIMELINE, ClusterFolder
from jupyter_mlops.places.local import store
from jupyter_mlops.places.local.folder import Folder

from ..kubernetes.clusters import in_thread, until
from ..places.place import LocalPlace, call, ended, workers_up
from .example import TABLES

#: What may stand in a file instead of a record.
SPOILT = {"garbage": "\x00\ufffd{", "half a file": '{"name": "one", "own', "nothing": "", "wrong types": '{"name": 1}'}


def folder_of(local: LocalPlace, name: str) -> ClusterFolder:
    return ClusterFolder(local.home / "clusters" / name)


def spoil(path: Path, text: str = "{", age: float = 0.0) -> None:
    """Replace a file, as if that had happened `age` seconds ago."""
    path.write_text(text)
    os.utime(path, (time.time() - age,) * 2)


def add_fields(path: Path) -> None:
    """As a newer version would write it: fields that are not known here, also deep inside."""

    def more(data: object) -> object:
        if isinstance(data, list):
            return [more(each) for each in data]
        if isinstance(data, dict):
            return {**{key: within(key, value) for key, value in data.items()}, "of_a_newer_version": [1]}
        return data

    def within(key: str, value: object) -> object:
        if key == "groups" and isinstance(value, dict):  # a receipt's, by name
            return {name: more(cost) for name, cost in value.items()}
        return value if key in TABLES else more(value)

    if path.suffix == ".json":
        path.write_text(json.dumps({**more(json.loads(path.read_text())), "format": 2}))  # type: ignore[dict-item]
    else:
        lines = [json.dumps(more(json.loads(line))) for line in path.read_text().splitlines()]
        path.write_text("\n".join([*lines, '{"kind": "of a newer version"}', lines[-1][:-5] if lines else "{"]))


async def started(local: LocalPlace, name: str = "one") -> ClusterFolder:
    """A live cluster with its worker up."""
    await local.backend.start(local.spec(name=name))
    await workers_up(local.backend, name, 1)
    return folder_of(local, name)


def killed(local: LocalPlace, name: str = "one", ago: float = 7200.0) -> ClusterFolder:
    """What a cluster leaves that had a worker of one CPU for an hour, and was killed `ago` seconds ago."""
    store.create(local.spec(name=name).model_copy(update={"created": time.time() - ago - 3600}))
    folder = folder_of(local, name)
    record = json.loads(folder.record_file.read_text())
    spoil(folder.record_file, json.dumps({**record, "starter": {"pid": 2**22, "birth": "1"}}), ago)
    opened = {"time": time.time() - ago - 3600, "kind": "open", "worker": "default-1", "group": "default", "cpus": 1}
    spoil(folder.path / LEDGER, json.dumps(opened) + '\n{"time": 1, "ki', ago)
    return folder


async def test_what_a_newer_version_has_added_hides_no_live_cluster(local: LocalPlace) -> None:
    folder = await started(local)
    for name in (SPEC, RECORD, LEDGER, EVENTS, TIMELINE):
        add_fields(folder.path / name)
    (state,) = await local.backend.clusters()
    assert (state.name, state.phase, state.problem, state.unreadable) == ("one", "running", None, False)
    assert state.cost.amount is not None and state.cost.amount > 0
    assert (await local.backend.spec("one")).name == "one"
    assert (await local.backend.events("one"))[0].text == "The cluster started"
    assert await call(local.backend, "one", sum, [1, 2]) == 3
    with pytest.raises(NameTaken):
        await local.backend.start(local.spec(name="one"))
    await local.backend.stop("one")
    assert (await ended(local.backend, "one")).cause == "user"
    add_fields(folder.receipt_file)
    receipt = await local.backend.receipt("one")
    assert receipt is not None and receipt.cause == "user"


@pytest.mark.parametrize("text", SPOILT.values(), ids=SPOILT)
async def test_a_live_cluster_whose_spec_can_not_be_read_is_listed_and_used(local: LocalPlace, text: str) -> None:
    folder = await started(local)
    (before,) = await local.backend.clusters()
    spoil(folder.spec_file, text)
    (state,) = await local.backend.clusters()
    assert (state.name, state.phase, state.unreadable) == ("one", "running", True)
    assert state.id == before.id, "handles, runs and browsers know it by that"
    assert state.problem is not None and str(folder.spec_file) in state.problem.what
    assert state.problem.why and state.problem.todo
    with pytest.raises(NameTaken, match=SPEC):
        await local.backend.start(local.spec(name="one"))
    with pytest.raises(Unreadable):
        await local.backend.spec("one")
    assert await call(local.backend, "one", sum, [1, 2]) == 3
    await local.backend.stop("one")
    await ended(local.backend, "one")


async def test_a_live_cluster_whose_record_can_not_be_read_is_not_ended_but_can_be(local: LocalPlace) -> None:
    folder = await started(local)
    view = await workers_up(local.backend, "one", 1)
    written = folder.record_file.read_text()
    for age in (0.0, 3600.0):
        spoil(folder.record_file, "{", age)
        spoil(folder.path / LEDGER, (folder.path / LEDGER).read_text(), age)
        (state,) = await local.backend.clusters()
        assert (state.phase, state.unreadable, state.ended) == ("unreachable", True, None)
        assert state.problem is not None and str(folder.record_file) in state.problem.what
        assert not folder.receipt_file.exists() and folder.work.is_dir()
    with pytest.raises(ClusterUnreachable, match=RECORD):
        await local.backend.link("one", 5.0)
    with pytest.raises(NameTaken, match=RECORD):
        await local.backend.start(local.spec(name="one"))
    with pytest.raises(Conflict):
        await local.backend.forget("one")
    folder.record_file.write_text(written)
    assert [worker.pid for worker in (await workers_up(local.backend, "one", 1)).workers] == [view.workers[0].pid]
    spoil(folder.record_file)
    await local.backend.stop("one")
    state = await ended(local.backend, "one")
    assert state.cause == "user"
    process = Path(f"/proc/{view.workers[0].pid}")
    await until(lambda: in_thread(process.exists), lambda there: not there, "the worker is gone")
    receipt = await local.backend.receipt("one")
    assert receipt is not None and receipt.cost.usage.cpu_hours > 0


async def test_a_cluster_that_died_and_has_no_record_is_ended_by_who_says_that_it_is_gone(local: LocalPlace) -> None:
    folder = killed(local)
    spoil(folder.record_file, "{", age=5.0)
    assert (await local.backend.get("one")).phase == "unreachable", "it may run on another machine"
    with pytest.raises(ClusterUnreachable, match=RECORD):
        await local.backend.stop("one", force=True)
    spoil(folder.record_file, "{", age=10800.0)  # the ledger gave the last sign of life
    state = await local.backend.get("one")
    assert (state.phase, state.commands) == ("unreachable", ["stop"])
    assert state.problem is not None and str(folder.record_file) in state.problem.what
    assert "no sign of life for 2 h" in state.problem.why
    await local.backend.stop("one")
    state = await local.backend.get("one")
    assert (state.phase, state.cause) == ("ended", "user")
    assert state.cost.amount == pytest.approx(3600, abs=5)


async def test_a_dead_cluster_without_a_spec_is_a_row_until_it_is_forgotten(local: LocalPlace) -> None:
    folder = killed(local)
    spoil(folder.spec_file, age=7200.0)
    for _ in range(2):
        (state,) = await local.backend.clusters()
        assert (state.name, state.phase, state.unreadable) == ("one", "ended", True)
    with pytest.raises(NameTaken, match=SPEC):
        await local.backend.start(local.spec(name="one"))
    assert sorted(path.name for path in (local.home / "clusters").iterdir() if path.is_dir()) == ["one"]
    await local.backend.forget("one")
    assert await local.backend.clusters() == []


async def test_a_receipt_that_can_not_be_read_is_not_written_again(local: LocalPlace) -> None:
    folder = killed(local)
    assert (await local.backend.get("one")).phase == "ended"
    spoil(folder.receipt_file, "{")
    (state,) = await local.backend.clusters()
    assert (state.phase, state.unreadable) == ("ended", True)
    assert state.problem is not None and RECEIPT in state.problem.what
    with pytest.raises(Unreadable):
        await local.backend.receipt("one")
    with pytest.raises(NameTaken, match=RECEIPT):
        await local.backend.start(local.spec(name="one"))
    assert folder.receipt_file.read_text() == "{"


@pytest.mark.parametrize("mark", [None, "", 3])
def test_a_record_without_a_mark_is_unreadable_so_that_nobody_else_s_processes_are_ended(
    local: LocalPlace, mark: object
) -> None:
    folder = killed(local)
    record = json.loads(folder.record_file.read_text())
    spoil(folder.record_file, json.dumps({**record, "mark": mark}))
    with pytest.raises(Unreadable, match="mark"):
        Folder(folder.path).record()
    spoil(folder.record_file, json.dumps(record), age=7200.0)


async def test_one_spoilt_folder_hides_no_other(local: LocalPlace) -> None:
    for name in ("one", "two"):
        killed(local, name)
    for file in (SPEC, RECORD):
        spoil(folder_of(local, "one").path / file, age=7200.0)
    (local.home / "clusters" / "no-cluster").mkdir()
    states = {state.name: state for state in await local.backend.clusters()}
    assert set(states) == {"one", "two"}
    assert states["one"].unreadable and states["two"].cause in ("failed", "killed")


async def test_words_of_a_newer_version_are_read(local: LocalPlace) -> None:
    folder = killed(local)
    record = json.loads(folder.record_file.read_text())
    spoil(folder.record_file, json.dumps({**record, "cause": "quota", "why": "the team's", "phase": "resting"}), 7200.0)
    state = await local.backend.get("one")
    assert (state.phase, state.cause) == ("ended", "other")
    assert state.problem is not None and state.problem.why == "the team's"


async def test_an_append_after_half_a_line_spoils_no_other(local: LocalPlace) -> None:
    folder = killed(local)
    (folder.path / EVENTS).write_text('{"seq":1,"time":1,"kind":"cluster","text":"The cluster started"}\n{"seq":2,"ti')
    (folder.path / RUNS).write_text('{"id":')
    await local.backend.get("one")
    first, last = await local.backend.events("one")
    assert (first.seq, last.seq) == (1, 2) and last.text.startswith("Ended")
