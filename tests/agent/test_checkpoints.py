"""Where checkpoints are kept: complete, or not there at all."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlops.agent.checkpoints import MANIFEST, AtUrl, Checkpoints, Manifest, OfRank, OnDisk, checkpoints_at

Make = Callable[[], Checkpoints]


@pytest.fixture(params=["disk", "url"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes what another process would have: it knows nothing but the place."""
    (tmp_path / "local").mkdir()
    root = str(tmp_path / "kept")
    return lambda: checkpoints_at(root if request.param == "disk" else f"file://{root}", str(tmp_path / "local"))


def write(make: Make, step: int, attempt: int = 1, ranks: int = 2, best: float | None = None) -> None:
    """As so many ranks and rank 0's seat do, each by itself."""
    files: dict[str, int] = {}
    for rank in range(ranks):
        files |= part(make, step, attempt, rank)
    make().complete(Manifest(step, attempt, 1.0, best, ranks, "0123456789ab", files))
    make().prune()


def part(make: Make, step: int, attempt: int, rank: int) -> dict[str, int]:
    name = f"step-{step:010d}-{attempt}"
    folder = make().begin(name)
    (Path(folder) / "deep").mkdir(exist_ok=True)
    (Path(folder) / "deep" / f"rank-{rank}").write_text(f"{step} {rank}")
    return make().written(name, folder)


def steps(make: Make) -> list[tuple[int, int]]:
    return [(each.attempt, each.step) for each in make().found()]


def test_they_are_one_of_two_kinds(tmp_path: Path) -> None:
    assert isinstance(checkpoints_at("/data", ""), OnDisk) and isinstance(checkpoints_at("memory://x", ""), AtUrl)


def test_there_is_none_before_the_first(make: Make) -> None:
    assert make().newest() is None


def test_what_was_written_is_there(make: Make) -> None:
    write(make, 10, best=0.5)
    newest = make().newest()
    assert newest is not None and (newest.step, newest.attempt, newest.best, newest.world) == (10, 1, 0.5, 2)
    assert newest.files == {"deep/rank-0": 4, "deep/rank-1": 4}
    folder = Path(make().fetch(newest.name))
    assert [(folder / "deep" / f"rank-{rank}").read_text() for rank in (0, 1)] == ["10 0", "10 1"]


def test_parts_without_a_manifest_are_no_checkpoint(make: Make) -> None:
    write(make, 10)
    part(make, 20, 1, 0)
    part(make, 20, 1, 1)
    assert steps(make) == [(1, 10)]


def test_half_a_manifest_and_strange_folders_are_none(make: Make, tmp_path: Path) -> None:
    write(make, 10)
    for name, text in (("step-0000000020-1", '{"step": 20, '), ("step-0000000030-1", '{"step": 30}'), ("notes", "")):
        (tmp_path / "kept" / name).mkdir()
        (tmp_path / "kept" / name / MANIFEST).write_text(text)
    (tmp_path / "kept" / "a file").write_text("")
    assert steps(make) == [(1, 10)]


@pytest.mark.parametrize("file", ["../outside", "/etc/passwd", "deep/../../outside"])
def test_a_manifest_that_names_files_elsewhere_is_none(make: Make, tmp_path: Path, file: str) -> None:
    write(make, 10)
    manifest = tmp_path / "kept" / "step-0000000010-1" / MANIFEST
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "files": {file: 1}}))
    assert make().newest() is None


def test_what_a_newer_version_says_more_is_passed_over(make: Make, tmp_path: Path) -> None:
    write(make, 10)
    manifest = tmp_path / "kept" / "step-0000000010-1" / MANIFEST
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 2, "mood": "fine"}))
    assert steps(make) == [(1, 10)]


def test_a_late_one_of_an_earlier_attempt_is_not_the_newest(make: Make) -> None:
    write(make, 10, attempt=2)
    write(make, 90, attempt=1)
    newest = make().newest()
    assert newest is not None and (newest.attempt, newest.step) == (2, 10)


def test_the_last_two_and_the_best_are_kept_and_parts_of_old_ones_go(make: Make, tmp_path: Path) -> None:
    part(make, 5, 1, 0)
    for step in range(10, 60, 10):
        write(make, step, best=-abs(step - 20))
    part(make, 60, 1, 0)
    assert steps(make) == [(1, 20), (1, 40), (1, 50)]
    assert not list(tmp_path.glob("kept/**/step-0000000005-1"))
    assert not list(tmp_path.glob("kept/**/removed-*"))


def test_the_same_step_again_takes_the_place_of_the_first(make: Make) -> None:
    write(make, 10, best=1.0)
    write(make, 10, best=2.0)
    assert [each.best for each in make().found()] == [2.0]


@pytest.mark.parametrize("place", ["disk", "url"])
def test_a_rank_says_what_it_wrote_only_if_all_went_well(place: str, tmp_path: Path) -> None:
    told: list[dict[str, object]] = []
    root = str(tmp_path / "kept") if place == "disk" else f"file://{tmp_path}/kept"
    rank = OfRank(root, 1, None, str(tmp_path), lambda kind, **what: told.append({"kind": kind, **what}))
    with pytest.raises(OSError, match="full"), rank.checkpoint(1, None, alone=False) as folder:
        (folder / "x").write_text("half")
        raise OSError("full")
    assert not told
    with rank.checkpoint(2, 0.5, alone=True) as folder:
        assert folder.step == 2
        plain = pickle.loads(pickle.dumps(folder))
        assert type(plain) is type(tmp_path) and plain == folder, "a notebook doesn't know its class"
        (folder / "x").write_text("all of it")
    assert told == [{"kind": "checkpoint", "step": 2, "best": 0.5, "alone": True, "files": {"x": 9}}]


def test_without_a_place_nothing_is_kept(tmp_path: Path) -> None:
    told: list[str] = []
    rank = OfRank("", 1, None, str(tmp_path), lambda kind, **what: told.append(kind))
    with rank.checkpoint(1, None, alone=False) as folder:
        (folder / "x").write_text("x")
    assert not folder.exists() and not told and rank.resume() is None
