"""A version that is tried in several pods, which agree by a board: each here is a folder, with a router that answers
nobody. The API only stores."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("kubernetes.aio")

from jupyter_mlops.core.board import SPLIT, packed
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
        self.trial = SimpleNamespace(others=[], arm=SimpleNamespace(ready=1), report=self.report)
        self.rate, self.began, self.fails, self.waits = 1.0, False, 0, False

    def report(self) -> ReplicaReport:
        return ReplicaReport(time=time.time(), rate=self.rate, waits=self.waits)

    def hold(self, waits: bool) -> None:
        self.waits = waits

    def state(self) -> ServiceState:
        self.fails -= 1
        if self.fails >= 0:
            raise ValueError("a fault of ours")
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


async def until(so: Callable[[], bool]) -> None:
    late = time.monotonic() + 60
    while not so():
        assert time.monotonic() < late
        await asyncio.sleep(0.05)


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


def test_a_version_waits_until_the_board_says_that_all_have_it(api_of_ann: StoringApi, pods: list[Pod]) -> None:
    one, other = pods

    async def go() -> None:
        waits = Split.of(WANTED).model_copy(update={"waits": True})
        api_of_ann.keep("churn-board", SPLIT, waits.model_dump_json())
        await one.look(), await other.look()
        assert [pod.waits for pod in pods] == [True, True]
        assert await one.decides(lambda spec: with_share(spec, 0.25, False)), "what it is to get, it may be told"
        await one.look(), await other.look()
        assert [pod.waits for pod in pods] == [True, True]
        board = await one.board.read()
        await one.board.write_split(board.split.model_copy(update={"waits": False}), board.version)
        await one.look(), await other.look()
        assert [pod.waits for pod in pods] == [False, False]

    run(go())
    kept = [pod.folder.split() for pod in pods]
    assert [each is not None and not each.waits for each in kept] == [True, True], "so it begins again"


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


def test_what_a_pod_decided_it_does_not_take_back_for_an_older_answer(api_of_ann: StoringApi, pods: list[Pod]) -> None:
    """It looks all the time, also while it decides, and what the API has at hand may be what was before."""
    one, _ = pods
    api_of_ann.lags = True
    shares = []

    async def go() -> None:
        await one.look()
        decides = asyncio.create_task(one.decides(lambda spec: with_share(spec, 0.25, False)))
        while not decides.done():
            await one.look()
            shares.append(one.folder.spec().candidate.share)  # type: ignore[union-attr]
        assert await decides
        for _ in range(3):
            await one.look()
            shares.append(one.folder.spec().candidate.share)  # type: ignore[union-attr]

    run(go())
    assert shares == sorted(shares) and shares[-1] == 0.25


def test_what_a_pod_has_seen_stays_when_it_goes(api_of_ann: StoringApi, pods: list[Pod]) -> None:
    """Its router lets go of both versions once it has told that."""
    one, other = pods

    async def go() -> None:
        router: Any = one
        await one.look()
        one.joint.join(router)
        await until(lambda: "one" in api_of_ann.of("secrets", "churn-board")["data"])
        one.rate = 2.0
        await one.joint.close()
        one.trial = None  # type: ignore[assignment]
        await other.look()

    run(go())
    assert [report.rate for report in other.trial.others] == [2.0]


def test_a_pod_takes_part_whatever_goes_wrong_once(api_of_ann: StoringApi, pods: list[Pod]) -> None:
    one, other = pods

    async def go() -> None:
        router: Any = one
        one.fails = 2
        one.joint.join(router)
        await other.look()
        assert await other.decides(lambda spec: with_share(spec, 0.25, False))
        await until(lambda: one.folder.spec().candidate.share == 0.25)  # type: ignore[union-attr]
        await until(lambda: "one" in api_of_ann.of("secrets", "churn-board")["data"])
        await one.joint.close()

    run(go())


def test_the_board_has_room_however_many_pods_come_and_go(api_of_ann: StoringApi, pods: list[Pod]) -> None:
    one, other = pods
    gone = {f"gone-{number}": packed(ReplicaReport(time=1000.0 + number)).decode("latin-1") for number in range(400)}

    async def go() -> None:
        for name, report in gone.items():
            api_of_ann.of("secrets", "churn-board")["data"][name] = base64.b64encode(report.encode("latin-1")).decode()
        await one.look(), await other.look()

    run(go())
    data = api_of_ann.of("secrets", "churn-board")["data"]
    assert {SPLIT, "one", "other", "gone-399"} < data.keys() and "gone-0" not in data
    assert len(data) < 300


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
