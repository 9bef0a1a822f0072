"""What is logged of requests: kept for its time, in files that are private, joined with labels, and gone when it is
forgotten."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from jupyter_mlops.core.errors import InvalidInput, Unreadable
from jupyter_mlops.core.label import words_of
from jupyter_mlops.core.logged import LoggedRow, RequestSample, SampleSettings
from jupyter_mlops.core.model import Signature
from jupyter_mlops.core.service import ServiceSpec
from jupyter_mlops.home import requests
from jupyter_mlops.home.requests import LATE, RequestLog
from jupyter_mlops.home.services import ServiceFolder
from jupyter_mlops.registry.flavors import FLAVORS
from jupyter_mlops.registry.measure import Answers, Array
from jupyter_mlops.registry.rows import Rows, read_rows
from jupyter_mlops.serving.asked import AskedReader
from jupyter_mlops.serving.calibration import Calibration, sureness
from jupyter_mlops.serving.keeper import RequestKeeper
from jupyter_mlops.serving.labels import read_labels
from jupyter_mlops.serving.predictor import Predictor
from jupyter_mlops.serving.sampling import RequestSampler

from ..models.conftest import fitted, people

HOUR = 3600.0

#: A moment in the middle of an hour.
NOON = 1_800_000_000.0 // HOUR * HOUR + 1000


def row(id: str, key: str = "", time: float = NOON, answer: str = '"left"', age: int = 30) -> LoggedRow:
    return LoggedRow(id=id, key=key, time=time, answer=answer, expected=0.75, features=f'{{"age":{age},"city":"Ulm"}}')


@pytest.fixture
def log(tmp_path: Path) -> RequestLog:
    return RequestLog(tmp_path / "requests")


def add(log: RequestLog, *rows: LoggedRow, digest: str = "d") -> None:
    log.add(rows, digest, 1, "classification", "")


def test_labels_find_their_rows_and_strangers_are_told_apart(log: RequestLog) -> None:
    add(log, row("a"), row("b"), row("c", answer='"stayed"'), row("a", age=99))
    joined = log.label([("a", "left"), ("b", "stayed"), ("x", "left"), ("c", "stayed")], 1.0, NOON)
    assert (joined.new, joined.strangers) == (3, 1) and words_of(joined) == "3 labels are new; 1 is unknown: x"
    joined = log.label([("a", "left"), ("b", "left"), ("x", "left")], 0.0, NOON)
    assert (joined.same, joined.changed, joined.outside) == (1, 1, 1)
    (tally,), task, _ = log.tallies("d")
    assert (tally.rows, tally.labelled, tally.total, tally.expected, task) == (3, 3, 3.0, 2.25, "classification")
    assert log.tallies("other") == ([], "", "")
    assert log.rows(0)[0]["age"] == 30, "an id that comes again is another row's"
    log.add([row("n", answer="1.5")], "e", 2, "regression", "a number")
    assert log.label([("n", "many")], 1.0, NOON).wrong == 1
    assert RequestLog(log.path / "none").label([("a", 1)], 1.0, NOON).strangers == 1


@pytest.mark.parametrize(
    ("answered", "labelled", "rate", "delay"),
    [
        ([NOON + at for at in range(1000)], [NOON + at + 600 for at in range(1000)], 0.63, 600.0),  # one in a second
        ([NOON - 86400 + 864 * at for at in range(100)], [NOON] * 100, 0.00116, 43_200.0),  # a file each day
        ([NOON - 5.0] * 50, [NOON] * 50, 0.83, 5.0),  # the first minute
        ([NOON - 20 * 86400.0] * 50, [NOON - 9 * 86400.0] * 50, 0.0, 0.0),  # none came lately
    ],
)
def test_how_labels_come_is_known(
    log: RequestLog, answered: list[float], labelled: list[float], rate: float, delay: float
) -> None:
    ids = [f"a-{number}" for number in range(len(answered))]
    for id, at in zip(ids, answered, strict=True):
        add(log, row(id, time=at))
    for id, at in zip(ids, labelled, strict=True):
        log.label([(id, "left")], 1.0, at)
    found = log.labelled.pace(max(max(labelled), NOON), 7 * 86400.0)
    assert found.rate == pytest.approx(rate, rel=0.07) and found.delay == pytest.approx(delay, rel=0.02, abs=1)
    assert RequestLog(log.path / "none").labelled.pace(NOON, 1.0).rate == 0


def test_features_become_a_file_when_their_hour_is_over(log: RequestLog) -> None:
    add(log, row("a", key="k"), row("b", time=NOON + HOUR))
    log.tidy(NOON + HOUR, 30 * HOUR)
    (path,) = log.path.glob("*/*.parquet")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((log.path / requests.ROWS).stat().st_mode) == 0o600
    assert stat.S_IMODE(log.path.stat().st_mode) == stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    kept = parquet.read_table(path).to_pylist()
    assert kept[0]["request.key"] not in ("", "k")
    assert kept == [
        {
            "request.id": "a",
            "request.time": NOON,
            "request.key": kept[0]["request.key"],
            "request.version": 1,
            "request.answer": '"left"',
            "age": 30,
            "city": "Ulm",
        }
    ]
    log.label([("a", "stayed")], 1.0, NOON)
    first, second = log.rows(0)
    assert (first["age"], first["request.answer"], first["request.label"]) == (30, "left", "stayed")
    assert (second["age"], second["request.label"]) == (30, None) and log.rows(NOON + 1) == [second]
    add(log, row("late"))
    with log.held():
        assert not log.tidy(NOON + HOUR, 30 * HOUR), "who reads the files isn't waited for"
    assert log.tidy(NOON + HOUR, 30 * HOUR)
    assert len([*log.path.glob("*/*.parquet")]) == 2, "what comes late has a file of its own"
    path.write_bytes(b"damaged")
    assert [each.get("age") for each in log.rows(0)] == [None, 30, 30]


def test_what_is_old_or_too_much_is_removed(log: RequestLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MOST_WAITING", 3)
    add(log, *(row(f"r{at}", time=NOON + at * HOUR) for at in range(10)))
    log.tidy(NOON + 10 * HOUR, 5.5 * HOUR)
    assert all("age" in each for each in log.rows(0)), "of what is in files nothing waits"
    assert [each["request.id"] for each in log.rows(0)] == ["r5", "r6", "r7", "r8", "r9"]
    log.tidy(NOON + 13 * HOUR, 5.5 * HOUR)
    assert len([*log.path.glob("*/*.parquet")]) == 3, "a file goes when its hour is old as a whole"
    monkeypatch.setattr(requests, "MOST_BYTES", 1)
    monkeypatch.setattr(requests, "MOST_ROWS", 1)
    log.tidy(NOON + 13 * HOUR, 5.5 * HOUR)
    assert not [*log.path.glob("*/*.parquet")] and [each["request.id"] for each in log.rows(0)] == ["r9"]
    assert "age" not in log.rows(0)[0]


def test_a_key_is_forgotten_wherever_it_is(log: RequestLog) -> None:
    add(log, row("a", "anna"), row("b", "ben"), row("c", "anna", NOON + HOUR), row("d", time=NOON + HOUR))
    log.tidy(NOON + HOUR, 30 * HOUR)
    assert log.forget("anna", NOON + HOUR) == 2 and log.forget("nobody", NOON) == 0
    assert [each["request.id"] for each in log.rows(0)] == ["b", "d"]
    add(log, row("late", "anna", NOON + HOUR - 1), row("new", "anna", NOON + HOUR + 1))
    assert [each["request.id"] for each in log.rows(0)] == ["b", "d", "new"], "what a replica still had is left out"
    left = b"".join(path.read_bytes() for path in log.path.rglob("*") if path.is_file())
    assert b"anna" not in left and b"ben" not in left
    (path,) = log.path.glob("*/*.parquet")
    assert parquet.read_table(path).column("request.id").to_pylist() == ["b"]
    path.write_bytes(b"damaged")
    with pytest.raises(Unreadable, match=r"there may be more.*damaged"):
        log.forget("ben", NOON)
    assert path.exists()


def test_whatever_a_replica_says_is_kept_as_far_as_it_can_be(log: RequestLog) -> None:
    odd = ['{"age":1,"request.key":"x","city":{}}', '{"age":"old"}', f'{{"age":{10**30}}}', "[1]", "{", "null"]
    add(
        log, *(row(f"r{at}").model_copy(update={"features": text}) for at, text in enumerate(odd)), row("q", answer="{")
    )
    log.tidy(NOON + HOUR, 30 * HOUR)
    assert len([*log.path.glob("*/*.parquet")]) == 1
    found = {each["request.id"]: each for each in log.rows(0)}
    assert len(found) == len(odd) + 1 and found["q"]["request.answer"] == "{"
    assert [found[f"r{at}"].get("age") for at in range(4)] == ["1", '"old"', str(10**30), None]


def test_rows_wait_for_a_disk_and_how_good_they_are_for_who_holds_the_files(
    log: RequestLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path))
    spec = ServiceSpec(name="churn", model="churn", version=1, digest="d", owner="me", created=0, log=1.0)
    folder, said, now = ServiceFolder(tmp_path), list[str](), time.time()
    keeper = RequestKeeper(folder, spec, said.append)
    times = {"a": now, "ahead": now + 9e6, "old": now - 2 * LATE}
    rows = [row(id, time=at) for id, at in times.items()]
    keeper.hear(RequestSample(task="classification", rows=rows).model_dump_json().encode())
    log.path.write_text("a file where the folder is to be")
    for _ in range(2):
        keeper.look()
    assert len(said) == 1 and "can't be logged" in said[0]
    log.path.unlink()
    with log.held():
        keeper.look()
    assert folder.performance() is None
    keeper.look()
    told = folder.performance()
    assert told is not None and told.whole is not None and told.whole.rows == 2
    assert all(now <= each["request.time"] <= time.time() for each in log.rows(0)), "a clock may have been set back"


def test_a_disk_that_stays_full_fills_no_memory(log: RequestLog, tmp_path: Path) -> None:
    """Of what may not be logged nothing is held."""
    spec = ServiceSpec(name="churn", model="churn", version=1, digest="d", owner="me", created=0, log=1.0, log_rows=100)
    keeper, now = RequestKeeper(ServiceFolder(tmp_path), spec, lambda _: None), time.time()
    text = '{"features": "' + "x" * 1000 + '"}'
    log.path.write_text("a file where the folder is to be")
    tracemalloc.start()
    for number in range(40):
        rows = [row(f"{number}-{at}", time=now).model_copy(update={"features": text}) for at in range(500)]
        keeper.hear(RequestSample(task="classification", rows=rows).model_dump_json().encode())
        del rows
        keeper.look()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 2_000_000
    log.path.unlink()
    keeper.look()
    assert len(log.rows(0)) == 100


def test_a_log_that_is_damaged_or_newer_says_so_and_stays(log: RequestLog) -> None:
    add(log, row("a"))
    with contextlib.closing(sqlite3.connect(log.path / requests.ROWS)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(Unreadable, match="newer version"):
        log.rows(0)
    (log.path / requests.ROWS).write_bytes(b"no database" * 1000)
    with pytest.raises(Unreadable, match="Repair that file"):
        log.rows(0)
    assert (log.path / requests.ROWS).exists()


def sampler(share: float, private: list[str], *, apart: bool = False) -> tuple[RequestSampler, Rows, Array]:
    """Of a classifier that is calibrated by people like those that it learned from; and rows, with its answers."""
    model, (X, y) = fitted(0), people(1, 3000)
    rows = read_rows(people(2, 1000)[0])
    predictor = Predictor(
        "churn@1", FLAVORS["sklearn"], model, AskedReader(Signature(kind="array", dtype="float64"), rows)
    )
    predictor.task, predictor.apart = "classification", apart
    answers = Answers(y, model.predict(X), model.predict_proba(X), model.classes_)
    sure = sureness(answers)
    assert sure is not None
    calibration = Calibration(sure, answers.truth == answers.said)
    made = RequestSampler(SampleSettings(share=share, rows=5000, private=private), predictor, calibration, "")
    return made, rows, np.array(model.predict(rows.back()))


def test_what_is_private_does_not_leave_the_replica() -> None:
    kept, rows, answers = sampler(1.0, ["income"])
    kept.add("a", "anna", rows.take(slice(0, 1)), answers[:1])
    kept.add("b", "", rows.take(slice(0, 3)), answers[:3])
    kept.add("odd\n", "", rows.take(slice(0, 1)), answers[:1])
    sample = kept.take()
    assert [each.id for each in sample.rows] == ["a", "b/0", "b/1", "b/2"] and sample.task == "classification"
    assert "income" not in sample.model_dump_json() and [each.key for each in sample.rows[:2]] == ["anna", ""]
    age = int(rows.columns[rows.names.index("age")].values[0]) if rows.names else 0
    assert sample.rows[0].features == f'{{"age":{age}}}' and sample.rows[0].answer == f'"{answers[0]}"'
    assert kept.take().rows == []


def test_of_much_a_part_is_kept_and_how_good_it_is_is_estimated() -> None:
    kept, rows, answers = sampler(0.5, [])
    kept.add("big", "", rows, answers)
    sample = kept.take()
    assert 480 <= len(sample.rows) <= 520
    expected = [each.expected for each in sample.rows if each.expected is not None]
    truth = people(2, 1000)[1]
    right = np.mean([truth[int(each.id.partition("/")[2])] == each.answer.strip('"') for each in sample.rows])
    assert len(expected) == len(sample.rows) and abs(np.mean(expected) - right) < 0.05
    more, rows, answers = sampler(1.0, [], apart=True)
    for _ in range(3):
        more.add("big", "", rows, answers)
    sample = more.take()
    assert len(sample.rows) == 2000 and sample.rows[0].expected is None and "beside it" in sample.unsure


#: Chances of any kind, and those of a model that has few: a tree, or a forest.
CHANCES = st.one_of(st.floats(0, 1), st.sampled_from([0.5, 0.75, 1.0]))


@given(st.lists(st.tuples(CHANCES, st.booleans()), min_size=1, max_size=300))
def test_doubts_are_read_as_what_was_right_and_keep_its_mean(seen: list[tuple[float, bool]]) -> None:
    sure, right = (np.array(each) for each in zip(*seen, strict=True))
    calibration = Calibration(sure, right)
    read = calibration(np.sort(sure))
    assert (np.diff(read) >= 0).all() and ((read >= 0) & (read <= 1)).all()
    assert calibration(sure).mean() == pytest.approx(right.mean())


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "json"])
def test_labels_come_in_files(tmp_path: Path, ending: str) -> None:
    table, path = pd.DataFrame({"id": ["a", "b"], "label": ["left", "stayed"]}), tmp_path / f"labels.{ending}"
    if ending == "csv":
        table.to_csv(path, index=False)
    elif ending == "parquet":
        table.to_parquet(path)
    else:
        table.to_json(path, orient="records", lines=ending == "jsonl")
    known = [("a", "left"), ("b", "stayed")]
    assert read_labels(str(path)) == read_labels(table) == read_labels(table["id"], table["label"]) == known
    assert read_labels({7: "left"}) == [("7", "left")]
    assert read_labels(dict(known)) == read_labels(table.to_dict("records")) == known


def test_what_is_no_label_is_named(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("order,label\n1,2\n")
    (tmp_path / "odd.json").write_text("{")
    (tmp_path / "odd.parquet").write_text("{")
    (tmp_path / "number.json").write_text("5")
    for data, words in (
        (tmp_path / "odd.csv", "has no column 'id'.*order"),
        (tmp_path / "odd.json", "can't be read as labels"),
        (tmp_path / "odd.parquet", "can't be read as labels"),
        (tmp_path / "none.csv", "There is no file"),
        (tmp_path / "labels.xlsx", "there are .csv"),
        (pd.DataFrame({"id": ["a"]}), "The table has no column 'label'"),
        ([{"id": "a"}], "Record 0 has no id and label"),
        ({7.5: "left"}, "the id of label 0 is 7.5"),
        (tmp_path / "number.json", "it holds 5, and neither"),
        (3, "Labels can't be a int"),
    ):
        with pytest.raises(InvalidInput, match=words):
            read_labels(data)
    with pytest.raises(InvalidInput, match="2 ids, and 1 labels"):
        read_labels(["a", "b"], ["left"])
