"""What a service decides by itself about a version that is tried, beside what people want: no process is started."""

from __future__ import annotations

import asyncio
import errno
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from jupyter_mlops.core.candidate import Candidate, CandidateState
from jupyter_mlops.core.cluster import Problem
from jupyter_mlops.core.errors import Conflict, StartFailed
from jupyter_mlops.core.model import ModelVersion
from jupyter_mlops.core.service import ServiceSpec
from jupyter_mlops.core.split import Split
from jupyter_mlops.core.waiting import end_tasks
from jupyter_mlops.home.services import ServiceFolder, service_folder
from jupyter_mlops.serving.changeover import Changeover
from jupyter_mlops.serving.decisions import FolderDecisions
from jupyter_mlops.serving.frames import AskedHead
from jupyter_mlops.serving.rollout import Rollout
from jupyter_mlops.serving.traffic import Traffic
from jupyter_mlops.serving.trial import CandidateTrial
from jupyter_mlops.serving.wishes import promoted, renewed, with_share

from .conftest import PATIENCE

TRIED = Candidate(version=2, digest="e", salt="s", share=0.25, steps=[0.25, 0.5])
SPEC = ServiceSpec(name="churn", model="churn", version=1, digest="d", owner="me", created=0, revision="a")
WISH = SPEC.model_copy(update={"candidate": TRIED})


class Fleet:
    """Has no replicas."""

    fault, spec = None, WISH

    def __init__(self, resized: Exception | None = None) -> None:
        self.resized, self.ended = resized, False

    def ask_counts(self) -> None:
        """Nothing."""

    async def resize(self, number: int) -> None:
        if self.resized is not None:
            raise self.resized

    async def end(self, patience: float = 0.0) -> None:
        self.ended = True


class Arm:
    """A version that is ready."""

    def __init__(self, version: int) -> None:
        self.version, self.ready, self.fleet = version, 1, Fleet()
        self.record = ModelVersion(model="churn", number=version, digest=" de"[version], owner="me", created=0)

    def log(self, spec: ServiceSpec) -> None:
        """Nothing."""

    def compare(self, bins: bytes) -> None:
        """Nothing."""


class Trial:
    """A candidate of which is known what comes of it."""

    def __init__(self, told: str) -> None:
        self.told, self.candidate, self.arm, self.moving = told, TRIED, Arm(2), False
        self.next_share, self.why, self.decided_words = 0.5, "errors 9 % against 0 %", "decided: no worse"

    def look(self, stable: Any) -> str:
        return "hold" if self.moving else self.told

    def problem(self) -> Problem:
        return Problem(what="churn@2 was taken back", why="errors 9 % against 0 %")

    def gone_back(self, problem: Problem | None) -> CandidateState:
        return CandidateState(version=2, phase="back", problem=problem)

    def kept(self) -> None:
        return None

    def compare_with(self, stable: Any) -> None:
        """Nothing."""

    def rest(self) -> None:
        self.moving = False


class Router:
    """What a rollout needs of one."""

    def __init__(self) -> None:
        self.spec = WISH
        self.past: CandidateState | None = None
        self.left: list[Any] = []
        self.told = asyncio.Event()

    def changed(self) -> None:
        self.told.set()

    async def aside(self, act: Callable[[], None]) -> None:
        await asyncio.to_thread(act)

    def leave(self, trial: Any) -> None:
        self.left.append(trial)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServiceFolder:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    found = service_folder("churn").make()
    found.write_spec(WISH)
    return found


def test_a_version_that_waits_answers_nobody_and_is_compared_from_when_it_does(folder: ServiceFolder) -> None:
    folder.write_split(Split.of(WISH).model_copy(update={"waits": True}))
    stable, tried = Arm(1), Arm(2)
    trial = CandidateTrial(folder, WISH, tried, print)  # type: ignore[arg-type]  # as above
    trial.begin(stable)  # type: ignore[arg-type]
    traffic = Traffic()
    traffic.stable, traffic.trial = stable, trial  # type: ignore[assignment]

    def versions() -> set[int]:
        return {traffic.choose(AskedHead(id=str(number))).version for number in range(200)}

    trial.heard(False, True, 0.01)
    assert versions() == {1} and trial.report().waits
    state = trial.state()
    assert (state.phase, state.share, state.words) == ("starting", 0.0, "canary 25 %: waits for all pods")
    assert trial.look(stable) == "hold"  # type: ignore[arg-type]
    trial.wait(True, stable)  # type: ignore[arg-type]
    assert trial.evidence.stable.requests == 1
    trial.wait(False, stable)  # type: ignore[arg-type]
    assert versions() == {1, 2} and not trial.report().waits
    assert (trial.evidence.stable.requests, trial.evidence.share) == (0, 0.25), "they are asked at the same time"
    state = trial.state()
    assert (state.phase, state.share, state.words) == ("trying", 0.25, "canary 25 %: no requests yet")
    folder.write_split(Split.of(WISH))
    assert not CandidateTrial(folder, WISH, tried, print).waits  # type: ignore[arg-type]


@asynccontextmanager
async def running(folder: ServiceFolder, told: str) -> AsyncIterator[tuple[Router, Traffic, list[str]]]:
    """A rollout that looks at a candidate of which `told` comes; what it says."""
    router, traffic, said = Router(), Traffic(), list[str]()
    traffic.stable, traffic.trial = Arm(1), Trial(told)  # type: ignore[assignment]  # what is needed of them
    runs = asyncio.create_task(Rollout(folder, traffic, router, FolderDecisions(folder), said.append).run())
    try:
        yield router, traffic, said
    finally:
        await end_tasks(runs)


async def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_what_harms_is_asked_nothing_any_more_before_that_is_written(folder: ServiceFolder) -> None:
    async with running(folder, "back") as (router, traffic, said):
        with folder.locked():  # somebody holds the files, for as long as they like
            await asyncio.wait_for(router.told.wait(), PATIENCE)
            assert traffic.trial is None and router.left
            assert router.past is not None and router.past.phase == "back"
            await until(lambda: any("can't be written" in line for line in said))
            assert folder.spec().candidate is not None
        await until(lambda: folder.spec().candidate is None)
        assert folder.spec().version == 1 and folder.spec().revision not in ("", "a")


async def test_what_harms_does_not_wait_for_a_long_log(folder: ServiceFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_mlops.serving.rollout._COUNT", 0.01)
    reads, read = threading.Event(), threading.Event()
    async with running(folder, "hold") as (router, traffic, _):
        trial: Any = traffic.trial
        trial.read_labels = lambda: (reads.set(), read.wait(PATIENCE))
        await until(reads.is_set)
        trial.told = "back"
        try:
            await asyncio.wait_for(router.told.wait(), PATIENCE / 2)
        finally:
            read.set()


@pytest.mark.parametrize("told", ["back", "on"])
async def test_what_somebody_has_wanted_meanwhile_stands(folder: ServiceFolder, told: str) -> None:
    theirs = with_share(WISH, 0.9)
    looks = 0
    async with running(folder, told) as (router, traffic, said):
        trial: Any = traffic.trial
        with folder.locked():
            await until(lambda: said)
            folder.write_spec(theirs)
        if told == "on":  # it looks again, and may write

            def look(stable: Any) -> str:
                nonlocal looks
                looks += 1
                return "on"

            trial.look = look
            await until(lambda: looks > 2)
            await until(lambda: not trial.moving)
        else:
            await until(lambda: traffic.trial is None)
            await until(lambda: not folder_is_awaited())
    assert folder.spec() == theirs and router.spec == WISH


def folder_is_awaited() -> bool:
    return any("_write_back" in repr(task) for task in asyncio.all_tasks())


async def test_what_is_decided_goes_on_and_does_so_once(folder: ServiceFolder) -> None:
    async with running(folder, "on") as (_, traffic, said):
        trial: Any = traffic.trial
        await until(lambda: said)
        spec = folder.spec()
        assert spec.candidate is not None and (spec.candidate.share, spec.candidate.paused) == (0.5, False)
        assert said == ["churn@2 goes on: 50 %"]
        trial.told, trial.moving = "back", False  # before its router has made that so
        await until(lambda: folder.spec().candidate is None)


async def test_what_is_made_so_before_that_is_heard_goes_on_again(
    folder: ServiceFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = ServiceFolder.write_spec, list[ServiceSpec]()
    async with running(folder, "hold") as (router, traffic, _):
        trial: Any = traffic.trial

        def make_so(self: ServiceFolder, spec: ServiceSpec) -> None:
            write(self, spec)
            written.append(spec)
            trial.moving, router.spec = False, spec

        monkeypatch.setattr(ServiceFolder, "write_spec", make_so)
        trial.told = "on"
        await until(lambda: len(written) > 1)


def test_what_can_not_be_seen_is_not_gone(folder: ServiceFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    before = folder.wanted_at()

    def away(self: Path, **_: Any) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", away)
        assert folder.wanted_at() not in (None, before), "a router ends where nothing is wanted any more"
    assert folder.wanted_at() == before and service_folder("other").wanted_at() is None


class Watching:
    """Watches nothing. `meanwhile` is done while the wanted version's watcher is made."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.meanwhile = meanwhile

    async def of(self, wanted: ServiceSpec) -> None:
        self.meanwhile()

    def follow(self, watcher: None, wanted: ServiceSpec) -> None:
        """Nothing."""

    async def look(self) -> None:
        """Nothing."""


def changing(folder: ServiceFolder, watching: Watching) -> tuple[Changeover, Traffic]:
    traffic = Traffic()
    traffic.stable, traffic.trial = Arm(1), Trial("hold")  # type: ignore[assignment]  # as above
    return Changeover(folder, traffic, watching, lambda: None), traffic  # type: ignore[arg-type]  # as above


async def test_a_version_that_was_taken_back_meanwhile_does_not_serve(folder: ServiceFolder) -> None:
    changeover, traffic = changing(folder, Watching(lambda: setattr(traffic, "trial", None)))
    stable, wanted = traffic.stable, promoted(WISH)
    with pytest.raises(Conflict, match="churn@2 was taken back"):
        await changeover.have(wanted)
    assert traffic.stable is stable
    again = changeover.refused(wanted, Problem(what="churn@2 was taken back"))
    assert (again.version, again.candidate) == (1, None) and again.revision not in ("a", wanted.revision)


async def test_a_candidate_that_can_not_grow_with_its_service_is_wanted_as_it_was(folder: ServiceFolder) -> None:
    changeover, traffic = changing(folder, Watching())
    stable, trial = traffic.stable, cast(Any, traffic.trial)
    trial.arm.fleet.resized = StartFailed("There is no memory left")
    wanted = renewed(with_share(WISH, 0.5), replicas=2)
    with pytest.raises(StartFailed):
        await changeover.have(wanted)
    again = changeover.refused(wanted, Problem(what="There is no memory left"))
    assert traffic.stable is stable and traffic.trial is trial, "what serves has grown"
    assert (again.replicas, again.candidate) == (2, TRIED) and again.revision not in ("", "a", wanted.revision)
