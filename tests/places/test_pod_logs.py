"""Logs of several pods tell what one log would, whichever of them has a row, and also when they are gone."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from jupyter_mlops.core.callers import DAY, CallerDay, UsageDay, callers_now, counted_together, day_of
from jupyter_mlops.core.errors import InvalidInput, NotFound, Unavailable
from jupyter_mlops.core.logged import LoggedRow
from jupyter_mlops.core.service import ServiceSpec
from jupyter_mlops.home import request_copies
from jupyter_mlops.home.elsewhere import elsewhere_folder, remove_unseen
from jupyter_mlops.home.services import ServiceFolder
from jupyter_mlops.places.kubernetes.services.logged import CopiedLog
from jupyter_mlops.serving import log_door

#: An hour that is over, and whose rows are kept.
NOON = time.time() // 3600 * 3600 - 3600
SPEC = ServiceSpec(name="churn", model="churn", version=1, digest="d", owner="me", created=0, log=0.5)


@dataclass
class Pods:
    """Asks folders of this machine what it would ask pods, by the same words."""

    folders: dict[str, ServiceFolder]

    @property
    def pods(self) -> list[str]:
        return list(self.folders)

    async def of_log(self, pod: str, question: str, body: bytes) -> bytes:
        return log_door.answer(self.folders[pod], question, body)

    async def of_all_logs(self, question: str, body: bytes) -> list[bytes]:
        return [await self.of_log(pod, question, body) for pod in self.pods]

    @property
    def logs(self) -> CopiedLog:
        return logs_of(self, len(self.pods))


def logs_of(asker: Pods, pods: int) -> CopiedLog:
    return CopiedLog(asker, elsewhere_folder("an-id", "churn"), SPEC, pods)


def row(id: str, key: str = "", time: float = NOON) -> LoggedRow:
    return LoggedRow(id=id, key=key, time=time, answer='"left"', expected=0.75, features=f'{{"of": "{id}"}}')


def pods(path: Path, *rows: list[LoggedRow]) -> Pods:
    made = {}
    for number, its in enumerate(rows):
        folder = made[f"{path.name}-{number}"] = ServiceFolder(path / f"pod-{number}").make()
        folder.write_spec(SPEC)
        folder.requests.add(its, "d", 1, "classification", "")
    return Pods(made)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))


def test_labels_find_their_pod_and_rows_come_together(tmp_path: Path) -> None:
    asker = pods(tmp_path, [row("a", "ann"), row("c")], [row("b", "ann", NOON + 1)], [])

    async def ask() -> None:
        assert (await pods(tmp_path / "none", [], []).logs.performance()) is None
        pairs = [("a", "left"), ("b", "stays"), ("x", "left"), ("y", ""), ("c", "left"), ("c", "stays")]
        joined = await asker.logs.label(pairs)
        assert (joined.new, joined.outside + joined.strangers, joined.empty, joined.contradicting) == (2, 1, 1, 1)
        joined = await asker.logs.label([("a", "left"), ("b", "left"), ("x", "left")])
        assert (joined.same, joined.changed, joined.outside + joined.strangers) == (1, 1, 1)
        told = await asker.logs.performance()
        assert told is not None and told.whole is not None and told.version == 1
        assert (told.metric, told.whole.rows, told.whole.labelled, told.whole.value) == ("accuracy", 3, 2, 1.0)
        found = await asker.logs.rows(0.0)
        assert [(each["request.id"], each["of"], each["request.label"]) for each in found] == [
            ("a", "a", "left"),
            ("c", "c", None),
            ("b", "b", "left"),
        ]
        with pytest.raises(Unavailable, match="none of its pods is ready"):
            await logs_of(Pods({}), 1).label([("a", "left")])
        with pytest.raises(Unavailable, match="none of its pods is ready"):
            await logs_of(Pods({}), 1).rows(0.0)
        with pytest.raises(Unavailable, match=r"1 of its pods can't be asked"):
            await logs_of(asker, 4).forget("ann")
        assert await asker.logs.forget("ann") == 2
        assert [each["request.id"] for each in await asker.logs.rows(0.0)] == ["c"]

    asyncio.run(ask())


def test_what_was_copied_outlives_its_pods(tmp_path: Path) -> None:
    """Labels and keys, too. Rows of files come as those that are in none, and nothing comes twice."""
    asker = pods(tmp_path, [row("a", "ann"), row("b", "ann", NOON + 3601)], [row("c", "bob")])
    asker.folders[asker.pods[0]].requests.pack(NOON + 3600)
    later = pods(tmp_path / "later", [row("d", "ann", NOON + 3602)])

    async def ask() -> None:
        await asker.logs.label([("a", "stays")])
        await asker.logs.copy()
        gone = later.logs
        found = await gone.rows(0.0)
        assert [(each["request.id"], each["of"], each["request.label"]) for each in found] == [
            ("a", "a", "stays"),
            ("c", "c", None),
            ("b", "b", None),
            ("d", "d", None),
        ]
        joined = await gone.label([("a", "left"), ("b", "left"), ("d", "left")])
        assert (joined.new, joined.changed) == (2, 1)
        told = await gone.performance()
        assert told is not None and told.whole is not None and (told.whole.rows, told.whole.labelled) == (4, 3)
        assert sum(piece.rows for piece in (await gone.logged(0.0)).pieces) == 4
        assert sum(piece.rows for piece in (await gone.logged(NOON + 3600)).pieces) == 2
        assert await gone.forget("ann") == 3
        await asker.logs.copy()  # another machine has it still, and brings nothing back
        assert [each["request.id"] for each in await logs_of(Pods({}), 0).rows(0.0)] == ["c"]
        assert len(await pods(tmp_path / "new", [row("e", "ann", time.time())]).logs.rows(0.0)) == 2

    asyncio.run(ask())


def test_a_long_log_is_copied_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where many rows are of one moment; the next time only what is new is sent."""
    asker = pods(tmp_path, [row(f"r{number}", time=NOON + number // 5000) for number in range(12_000)])
    sent = []
    copy_of = request_copies.copy_of
    monkeypatch.setattr(log_door, "copy_of", lambda *asked: sent.append(copy_of(*asked)) or sent[-1])

    async def ask() -> None:
        assert len(await asker.logs.rows(0.0)) == 12_000
        assert [len(each.rows) for each in sent] == [5000, 5000, 2000]
        asker.folders[asker.pods[0]].requests.add([row("new", time=NOON + 600)], "d", 1, "classification", "")
        assert len(await asker.logs.rows(0.0)) == 12_001
        await asker.logs.copy()
        assert len(sent[-1].rows) == 1

    asyncio.run(ask())


def test_another_home_learns_that_a_key_was_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asker = pods(tmp_path, [row("a", "ann"), row("b", "bob")])

    async def ask() -> None:
        await asker.logs.copy()
        monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "other"))
        assert await asker.logs.forget("ann") == 1
        monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
        assert [each["request.id"] for each in await asker.logs.rows(0.0)] == ["b"]

    asyncio.run(ask())


class OddPods(Pods):
    """The first of them says what nobody can read; or the same again and again, as if there were more."""

    def __init__(self, folders: dict[str, ServiceFolder], says: bytes | None) -> None:
        super().__init__(folders)
        self.says, self.asked = says, 0

    async def of_log(self, pod: str, question: str, body: bytes) -> bytes:
        if pod != self.pods[0]:
            return await super().of_log(pod, question, body)
        self.asked += 1
        assert self.asked < 10, "it is asked for ever"
        told = json.loads(await super().of_log(pod, "copy", b'{"since": 0}'))
        return json.dumps({**told, "more": True}).encode() if self.says is None else self.says


def test_a_pod_that_says_odd_things_keeps_nobody_from_the_others(tmp_path: Path) -> None:
    """It runs what people wrote."""
    asker = pods(tmp_path, [row("a")], [row("b")])

    async def ask() -> None:
        odd = OddPods(asker.folders, b"[1]")
        told = await odd.logs.performance()
        assert told is not None and told.whole is not None and told.whole.rows == 1
        with pytest.raises(Unavailable, match="-0 doesn't tell what it was asked"):
            await odd.logs.rows(0.0)
        assert [each["request.id"] for each in await OddPods(asker.folders, None).logs.rows(0.0)] == ["a", "b"]

    asyncio.run(ask())


def test_a_key_that_could_not_be_forgotten_is_forgotten_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment without pyarrow can't change the files of the copy: it may not note that nothing is left."""
    asker = pods(tmp_path, [row("a", "ann"), row("b", "bob")])

    async def ask() -> None:
        await asker.logs.copy()
        elsewhere_folder("an-id", "churn").requests.pack(NOON + 3600)
        asker.folders[asker.pods[0]].requests.forget("ann", time.time())
        with monkeypatch.context() as without:
            without.setitem(sys.modules, "pyarrow", None)
            with pytest.raises(Unavailable, match="pyarrow"):
                await asker.logs.copy()
        assert [each["request.id"] for each in await asker.logs.rows(0.0)] == ["b"]
        assert sum(piece.rows for piece in (await asker.logs.logged(0.0)).pieces) == 1

    asyncio.run(ask())


def test_what_nobody_looks_at_any_more_goes() -> None:
    """Also where its service went by another way, and where only its callers were asked for."""
    callers = elsewhere_folder("another-id", "churn")
    callers.count(
        {"pod": [UsageDay(day=day_of(time.time()), callers=[CallerDay(caller="web", requests=1)])]}, time.time()
    )
    folder = elsewhere_folder("an-id", "churn")
    folder.see(lambda seen: seen.note(1))
    folder.requests.add([row("a")], "d", 1, "classification", "")
    remove_unseen(time.time() + 29 * DAY)
    assert folder.requests.exists() and callers.path.exists()
    remove_unseen(time.time() + 31 * DAY)
    assert not folder.path.exists() and not callers.path.exists()


def test_callers_of_several_pods_are_added_up(tmp_path: Path) -> None:
    now = time.time()
    counted = []
    for requests, versions in ((2, [1]), (3, [2])):
        its = CallerDay(caller="web", requests=requests, rows=10, versions=versions, last=now - 60 * requests)
        counted.append([UsageDay(day=day_of(now), callers=[its])])
    (web,) = callers_now(["web"], counted_together(counted), now)
    assert (web.requests, web.rows, web.versions, web.last) == (5, 20, [1, 2], now - 120)


def test_what_a_log_is_not_asked_is_said(tmp_path: Path) -> None:
    folder = next(iter(pods(tmp_path, [row("a")]).folders.values()))
    with pytest.raises(NotFound, match=r"nothing like '\.\./x'"):
        log_door.answer(folder, "../x", b"")
    for wrong in (b"", b"[]", b'{"labels": [["a"]]}', b'{"labels": 1}'):
        with pytest.raises(InvalidInput, match="can't be read"):
            log_door.answer(folder, "labels", wrong)
