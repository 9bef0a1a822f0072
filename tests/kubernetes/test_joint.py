"""A version that is tried in several pods, which agree by a board: each here is a folder, with a router that answers
nobody. The API only stores."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("kubernetes.aio")

from jupyter_mlops.core.board import SPLIT
from jupyter_mlops.core.candidate import Candidate, CandidateState
from jupyter_mlops.core.errors import MlopsError
from jupyter_mlops.core.evidence import ArmEvidence, Evidence, together
from jupyter_mlops.core.service import ServiceSpec, ServiceState
from jupyter_mlops.core.split import Move, ReplicaReport, Split
from jupyter_mlops.home.services import ServiceFolder
from jupyter_mlops.places.kubernetes.records.kept import secret
from jupyter_mlops.serving.board import SplitBoard
from jupyter_mlops.serving.joint import JointTrial
from jupyter_mlops.serving.wishes import promoted, renewed, with_share, without_candidate

from .api import StoringApi

WANTED = ServiceSpec(
    name="churn",
    model="churn",
    version=3,
    digest="three",
    owner="Ann",
    created=1.0,
    revision="first",
    candidate=Candidate(version=4, digest="four", share=0.05, salt="salt"),
)


class Pod:
    """A pod's part of a trial, without its replicas."""

    def __init__(self, api: StoringApi, path: Path, name: str) -> None:
        account = path / "account"
        account.mkdir(parents=True)
        (account / "namespace").write_text(api.namespace)
        (account / "token").write_text("its own")
        self.folder = ServiceFolder(path / "churn").make()
        self.folder.write_spec(WANTED)
        self.board = SplitBoard("churn-board", api.url, account)
        self.joint = JointTrial(self.folder, self.board, name)
        self.trial = SimpleNamespace(others=[], arm=SimpleNamespace(ready=1), report=lambda: ReplicaReport(rate=1.0))
        self.began = False

    def state(self) -> ServiceState:
        return ServiceState(name="churn", version=3, revision=self.folder.spec().revision)

    async def look(self) -> None:
        if not self.began:
            await self.joint.begin()
            self.began = True
        router: Any = self
        await self.joint.look(router)

    async def decides(self, change: Callable[[ServiceSpec], ServiceSpec], back: bool = False) -> bool:
        past = CandidateState(version=4, phase="back", words="it harms") if back else None
        move = Move(time=time.time(), verb="rolled back" if back else "went on", object="churn@4")
        return await self.joint.make(self.folder.spec(), change, move, past)


@pytest.fixture
def pods(api_of_ann: StoringApi, tmp_path: Path) -> Iterator[list[Pod]]:
    """Two, and their board."""
    api_of_ann.put("secrets", secret({"name": "churn-board"}, {SPLIT: Split.of(WANTED).model_dump_json()}))
    made = [Pod(api_of_ann, tmp_path / name, name) for name in ("one", "other")]
    yield made
    for pod in made:
        pod.board.close()


def split_of(api: StoringApi) -> Split:
    return Split.model_validate_json(api.kept("churn-board", SPLIT))


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def test_what_one_decides_all_do_and_the_board_says_who(api_of_ann: StoringApi, pods: list[Pod]) -> None:
    one, other = pods

    async def go() -> None:
        await one.look(), await other.look()
        assert await one.decides(lambda spec: with_share(spec, 0.25, False))
        await one.look(), await other.look()
        assert [pod.folder.spec().candidate.share for pod in pods] == [0.25, 0.25]  # type: ignore[union-attr]
        assert [report.rate for report in other.trial.others] == [1.0]
        assert await other.decides(promoted)
        await one.look()

    run(go())
    assert [(pod.folder.spec().version, pod.folder.spec().previous) for pod in pods] == [(4, 3), (4, 3)]
    assert [move.verb for move in split_of(api_of_ann).moves] == ["went on", "went on"]


def test_of_two_that_go_on_at_once_one_does_and_harm_goes_before_any_share(
    api_of_ann: StoringApi, pods: list[Pod]
) -> None:
    one, other = pods

    async def go() -> None:
        await one.look(), await other.look()
        assert await one.decides(lambda spec: with_share(spec, 0.25, False))
        assert not await other.decides(lambda spec: with_share(spec, 0.25, False)), "it hasn't seen that yet"
        assert await other.decides(without_candidate, back=True), "harm is harm at any share"
        await one.look()
        gone = CandidateState(version=4, phase="back")
        assert not await one.joint.make(WANTED, without_candidate, Move(verb="rolled back"), gone)

    run(go())
    assert [pod.folder.spec().candidate for pod in pods] == [None, None]
    assert split_of(api_of_ann).past == CandidateState(version=4, phase="back", words="it harms")
    assert [move.verb for move in split_of(api_of_ann).moves] == ["went on", "rolled back"]


def test_without_the_board_a_pod_gives_no_share_and_does_not_take_up_again_what_it_took_back(
    api_of_ann: StoringApi, pods: list[Pod]
) -> None:
    one, other = pods

    async def go() -> None:
        await one.look(), await other.look()
        api_of_ann.refused = {"secrets"}
        for change, back in ((promoted, False), (without_candidate, True)):
            with pytest.raises(MlopsError):
                await one.decides(change, back=back)
        one.folder.write_spec(without_candidate(one.folder.spec()))  # as its router does
        api_of_ann.refused = set()
        assert await other.decides(lambda spec: with_share(spec, 0.25, False))
        await one.look()
        assert one.folder.spec().candidate is None
        again = await one.joint.make(WANTED, without_candidate, Move(verb="rolled back"), CandidateState(version=4))
        assert again
        await other.look()
        assert other.folder.spec().candidate is None

    run(go())


def test_a_pod_that_begins_again_knows_what_was_agreed_upon(api_of_ann: StoringApi, pods: list[Pod]) -> None:
    one, _ = pods

    async def go() -> None:
        await one.look()
        await one.decides(promoted)
        one.folder.write_spec(WANTED)  # as its program does when it begins
        api_of_ann.refused = {"secrets"}
        await JointTrial(one.folder, one.board, "one").begin()

    run(go())
    assert one.folder.spec().version == 4


def test_what_several_have_seen_at_the_same_turn_is_one_comparison() -> None:
    def seen(turn: int, requests: int, salt: str = "salt") -> Evidence:
        arm = ArmEvidence(requests=requests, failed=1)
        return Evidence(salt=salt, turn=turn, number=turn, since=float(turn), stable=arm, candidate=arm)

    whole = together(seen(2, 10), [seen(2, 5), seen(1, 7), seen(2, 100, "another")])
    assert (whole.stable.requests, whole.candidate.requests, whole.candidate.failed) == (15, 15, 2)
    assert whole.requests + whole.candidate.requests == 22, "what was asked at another turn is counted"
    assert with_share(WANTED, 0.05).candidate.turn == 1  # type: ignore[union-attr]
    assert with_share(WANTED, 0.25).candidate.turn == 2  # type: ignore[union-attr]
    assert renewed(WANTED).revision != "first"
