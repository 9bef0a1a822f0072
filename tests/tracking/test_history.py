"""The records of runs, read as they are on the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.core.cluster import ClusterState
from jupyter_mlops.core.errors import UnknownRun, Unreadable
from jupyter_mlops.core.run import Entry, RunState
from jupyter_mlops.home.runs import run_folder
from jupyter_mlops.tracking import history


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path))
    return tmp_path / "runs"


def run(number: int = 1, **more: Any) -> RunState:
    fields = {"name": "clean", "kind": "map", "cluster": "one", "owner": "me", "created": 1000.0 + number}
    return RunState(id=f"{number:012x}", **{**fields, **more})


def test_the_newest_come_first(runs: Path) -> None:
    for number in (2, 3, 1):
        history.save(run(number, cluster="one" if number < 3 else "two"))
    assert [r.created for r in history.runs()] == [1003, 1002, 1001]
    assert [r.created for r in history.runs(limit=1)] == [1003]
    assert [r.created for r in history.runs(cluster="one")] == [1002, 1001]


def test_a_record_is_read_again_when_it_changed(runs: Path) -> None:
    history.save(run(1))
    records = history.Records()
    assert [r.phase for r in records.changed()] == ["starting"]
    assert records.changed() == []
    history.save(run(1, phase="done", done=5))
    assert [r.phase for r in records.changed()] == ["done"]
    (runs / run(1).id / "record.json").unlink()
    assert records.changed() == [] and records.all() == []


def test_a_broken_record_hides_no_other(runs: Path, caplog: pytest.LogCaptureFixture) -> None:
    history.save(run(1))
    history.save(run(2))
    broken = runs / run(2).id / "record.json"
    broken.write_text('{"id": "half of i')
    (runs / "not-a-run").mkdir()
    whole, row = sorted(history.runs(), key=lambda each: each.id)
    assert whole == run(1)
    assert row.id == run(2).id and row.problem is not None and str(broken) in row.problem.what
    with pytest.raises(Unreadable, match=r"record\.json can't be read"):
        history.get(run(2).id)
    records = history.Records()
    assert len(records.changed()) == 2 and not records.changed(), "it is looked at once"
    assert str(broken) in caplog.text
    history.save(run(2))
    assert records.changed() == [run(2)]


def test_a_run_is_found_by_the_beginning_of_its_id(runs: Path) -> None:
    one, other = run(0xABC000000000), run(0xABD000000000)
    history.save(one), history.save(other)
    assert history.get(one.id) == one == history.get("abc")
    for name in ("ab", "fff", "", "../x"):
        with pytest.raises(UnknownRun):
            history.get(name)


def test_a_journal_without_its_half_lines(runs: Path) -> None:
    state = run()
    history.save(state)
    lines = [Entry(seq=n, time=n, kind="print", text=f"line {n}").model_dump_json() for n in (1, 2, 3)]
    (runs / state.id / "journal.jsonl").write_text("\n".join([*lines[:2], lines[2][:20]]))
    assert [e.text for e in run_folder(state.id).journal()] == ["line 1", "line 2"]
    assert [e.text for e in run_folder(state.id).journal(since=1)] == ["line 2"]
    assert run_folder("000000000000").journal() == []
    with pytest.raises(UnknownRun):
        run_folder("../../etc")


def test_a_run_is_lost_when_its_cluster_is(runs: Path) -> None:
    def cluster(**more: Any) -> ClusterState:
        fields = {"name": "one", "place": "local", "profile": "p", "owner": "me", "phase": "ended", "created": 500}
        return ClusterState(**{**fields, **more})

    living = run(1, phase="running")
    lost = history.lost(living, [cluster(cause="killed", ended=2000)])
    assert lost is not None and (lost.phase, lost.ended) == ("lost", 2000) and "killed" in lost.error
    assert history.lost(living, [cluster(phase="running")]) is None
    assert history.lost(run(1, phase="done"), [cluster()]) is None
    assert history.lost(living, []) is not None
    # A newer cluster of the same name says nothing of a run that was there before it.
    later = history.lost(living, [cluster(created=5000, ended=6000, cause="idle")])
    assert later is not None and "idle" not in later.error
    # One that can't be read may be the very cluster that the run knows.
    exact = run(1, phase="running", cluster_id=cluster().id)
    assert history.lost(exact, [cluster(created=700, phase="running")]) is not None
    assert history.lost(exact, [cluster(created=700, phase="running", unreadable=True)]) is None


def test_records_that_did_not_change_are_not_read_again(runs: Path) -> None:
    for number in range(3):
        history.save(run(number + 1))
    records = history.Records()
    assert len(records.changed()) == 3
    for path in runs.glob("*/record.json"):  # who read it again would find that it is no record
        stat = path.stat()
        path.write_bytes(b"x" * stat.st_size)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert records.changed() == []
    assert runs.stat().st_mode & 0o077 == 0
