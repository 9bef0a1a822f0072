"""Logs of several pods tell what one log would, whichever of them has a row."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.errors import InvalidInput, NotFound, Unavailable
from jupyter_mlops.core.logged import LoggedRow
from jupyter_mlops.core.performance import DAY, HOUR, Tally, put_together
from jupyter_mlops.core.service import ServiceSpec
from jupyter_mlops.home.services import ServiceFolder
from jupyter_mlops.places.kubernetes.services.logged import (
    forget_in_pods,
    label_in_pods,
    performance_of_pods,
    rows_of_pods,
)
from jupyter_mlops.serving import log_door

NOON = 1_800_000_000.0 // DAY * DAY + 12 * HOUR
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

    async def of_logs(self, question: str, body: bytes) -> list[bytes]:
        return [await self.of_log(pod, question, body) for pod in self.pods]

    of_all_logs = of_logs


def row(id: str, key: str = "", time: float = NOON) -> LoggedRow:
    return LoggedRow(id=id, key=key, time=time, answer='"left"', expected=0.75, features=f'{{"of": "{id}"}}')


def pods(path: Path, *rows: list[LoggedRow]) -> Pods:
    made = {}
    for number, its in enumerate(rows):
        folder = made[f"pod-{number}"] = ServiceFolder(path / f"pod-{number}").make()
        folder.write_spec(SPEC)
        folder.requests.add(its, "d", 1, "classification", "")
    return Pods(made)


def test_labels_find_their_pod_and_rows_come_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    asker = pods(tmp_path, [row("a", "ann"), row("c")], [row("b", "ann", NOON + 1)], [])

    async def ask() -> None:
        assert (await performance_of_pods(pods(tmp_path / "none", [], []), SPEC)) is None
        pairs = [("a", "left"), ("b", "stays"), ("x", "left"), ("y", ""), ("c", "left"), ("c", "stays")]
        joined = await label_in_pods(asker, pairs, 1.0)
        assert (joined.new, joined.strangers, joined.empty, joined.contradicting) == (2, 1, 1, 1)
        assert joined.examples["strangers"] == ["x"]
        joined = await label_in_pods(asker, [("a", "left"), ("b", "left"), ("x", "left")], 0.0)
        assert (joined.same, joined.changed, joined.outside) == (1, 1, 1)
        told = await performance_of_pods(asker, SPEC)
        assert told is not None and told.whole is not None and told.version == 1
        assert (told.metric, told.whole.rows, told.whole.labelled, told.whole.value) == ("accuracy", 3, 2, 1.0)
        found = await rows_of_pods(asker, 0.0)
        assert [(each["request.id"], each["of"], each["request.label"]) for each in found] == [
            ("a", "a", "left"),
            ("c", "c", None),
            ("b", "b", "left"),
        ]
        with pytest.raises(Unavailable, match="none of its pods is ready"):
            await label_in_pods(Pods({}), [("a", "left")], 1.0)
        with pytest.raises(Unavailable, match="none of its pods is ready"):
            await rows_of_pods(Pods({}), 0.0)
        with pytest.raises(Unavailable, match=r"1 of its pods can't be asked"):
            await forget_in_pods(asker, "ann", pods=4)
        assert await forget_in_pods(asker, "ann", pods=3) == 2
        assert [each["request.id"] for each in await rows_of_pods(asker, 0.0)] == ["c"]

    asyncio.run(ask())


def test_what_a_log_is_not_asked_is_said(tmp_path: Path) -> None:
    folder = pods(tmp_path, [row("a")]).folders["pod-0"]
    with pytest.raises(NotFound, match=r"nothing like '\.\./x'"):
        log_door.answer(folder, "../x", b"")
    for wrong in (b"", b"[]", b'{"labels": [["a"]]}', b'{"labels": 1}'):
        with pytest.raises(InvalidInput, match="can't be read"):
            log_door.answer(folder, "labels", wrong)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 9), st.booleans()), max_size=30))
def test_periods_add_up_whatever_their_length(found: list[tuple[int, int, bool]]) -> None:
    logs = []
    for hours, rows, daily in found:
        long = DAY if daily else HOUR
        since = hours * HOUR // long * long
        logs.append([Tally(since=since, until=since + long, rows=rows)])
    told = put_together(logs)
    assert sum(each.rows for each in told) == sum(rows for _, rows, _ in found)
    assert len({each.until - each.since for each in told}) <= 1
    assert [each.since for each in told] == sorted({each.since for each in told})
