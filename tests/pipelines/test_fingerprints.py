"""By what a step knows whether what it reads has changed."""

from __future__ import annotations

import functools
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import dask.dataframe
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from jupyter_mlops.core.errors import InvalidSpec
from jupyter_mlops.core.step import StepRecord, check_step_name, key_of, what_differs
from jupyter_mlops.pipelines.files import ALL, stamps, texts_in
from jupyter_mlops.pipelines.fingerprints import fingerprint

#: What a notebook may have, written in one way; `WRITTEN_ANEW` means the same.
WRITTEN = """
factor = 2
class Kind(type):
    def share(cls): return 1
class Part(metaclass=Kind): pass
def scale(x): return x * factor
class Point:
    size = 1
    def __init__(self, a): self.a = a
    def scaled(self): return scale(self.a), {'x', 'y', 'z'}
words = {'a', 'b', 'c', (1, 2)}
point = Point([1.5, None])
"""
WRITTEN_ANEW = WRITTEN.replace("def scale(x): return", "# twice as much\n\n\ndef scale(x):\n    return")


def _digest(source: str, name: str) -> str:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(source, space)
    return fingerprint(space[name]).digest


@pytest.mark.parametrize("name", ["scale", "Point", "point", "words"])
def test_what_is_written_otherwise_is_the_same(name: str) -> None:
    assert _digest(WRITTEN, name) == _digest(WRITTEN_ANEW, name)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (("factor = 2", "factor = 3"), {"scale", "Point", "point"}),
        (("x * factor", "x + factor"), {"scale", "Point", "point"}),
        (("size = 1", "size = 2"), {"Point", "point"}),
        (("'y', 'z'}", "'y', 'w'}"), {"Point", "point"}),
        (("[1.5, None]", "[1, None]"), {"point"}),
        (("'c', (1", "'d', (1"), {"words"}),
        (("{'a', 'b', 'c', (1, 2)}", "frozenset(['a', 'b', 'c', (1, 2)])"), {"words"}),
        (("return 1", "return 2"), {"Part"}),
    ],
)
def test_a_change_is_one_of_all_that_use_it(change: tuple[str, str], names: set[str]) -> None:
    changed = WRITTEN.replace(*change)
    found = {
        name
        for name in ("scale", "Point", "point", "words", "Part")
        if _digest(WRITTEN, name) != _digest(changed, name)
    }
    assert found == names


def test_it_is_the_same_in_another_process() -> None:
    """Where texts have other hashes, classes other ids, and other modules are loaded."""
    told = f"import json\nfrom jupyter_mlops.pipelines.fingerprints import fingerprint\nspace = globals()\n{WRITTEN}"
    told += "\nprint(json.dumps([fingerprint(space[n]).digest for n in ('scale', 'Point', 'point', 'words')]))"
    found = {
        subprocess.run(
            [sys.executable, "-c", told],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=150,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_arrays_and_tables_count_by_what_they_have() -> None:
    table = pd.DataFrame({"x": [1, 2, 3], "y": ["a", "b", None]})
    assert fingerprint(table) == fingerprint(table.copy())
    assert fingerprint(np.arange(10)) == fingerprint(np.arange(10)) != fingerprint(np.arange(11))
    for large in (np.arange(2_000_000.0), pd.Series(range(2_000_000))):
        assert fingerprint(large) == fingerprint(large.copy()) != fingerprint(large + 1)
    before = fingerprint(table)
    table.loc[0, "x"] = 7
    assert fingerprint(table) != before


def test_what_has_travelled_is_the_same() -> None:
    """Though equal texts and types of numbers are one object in it, or several, otherwise than before."""
    numbers = np.arange(12.0).reshape(3, 4)
    masked = np.ma.MaskedArray([1, 2], mask=[True, False])
    table = pd.DataFrame({"day": pd.date_range("2020", periods=3), "of": [f"t{n}" for n in range(3)]})
    forest = RandomForestClassifier(3, random_state=0).fit(numbers, [0, 1, 1])
    for value in (forest, table.set_index("day"), table.groupby("of").day.max(), numbers[:, 1], masked):
        arrived = pickle.loads(cloudpickle.dumps(value))
        assert fingerprint(arrived) == fingerprint(value)
    long = "x" * 200
    texts = ["", "a", "a\0", "\0a", long, f"{long}y", "\udcff"]
    assert len({fingerprint(text).digest for text in texts}) == len(texts)
    assert fingerprint(["a", "a"]) == fingerprint(["a", "".join(["a"])]) != fingerprint(["a", "b"])


def test_what_can_not_be_pickled_may_have_changed() -> None:
    lock = threading.Lock()
    assert fingerprint([lock]) != fingerprint([lock])


def test_files_that_texts_name_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / ".cache").mkdir()
    for name in ("a.csv", "b.csv", ".cache/now"):
        (tmp_path / "data" / name).write_text("x\n1\n")
    texts = [
        "data/a.csv",
        "data/*.csv",
        "data",
        str(tmp_path / "data" / "b.csv"),
        "",
        "/",
        "no.csv",
        "x" * 5000,
        "\0",
        "\udcff",
    ]
    before = stamps(texts)
    assert set(before) == {"data/a.csv", "data/*.csv", texts[3]}
    texts.append(ALL)  # the code looks what is in folders
    before = stamps(texts)
    assert set(before) == {"data/a.csv", "data/*.csv", "data", texts[3]}
    (tmp_path / "data" / ".cache" / "now").write_text("")
    assert stamps(texts) == before
    (tmp_path / "data" / "b.csv").write_text("x\n1\n2\n")
    after = stamps(texts)
    assert {text for text in before if before[text] != after[text]} == {"data/*.csv", "data", texts[3]}


@pytest.mark.parametrize(
    ("texts", "counts"),
    [
        (["data", "raw.csv"], {"data/raw.csv"}),
        (["data", "/raw.csv"], {"data/raw.csv"}),
        (["data", "raw.csv", "*"], {"data/raw.csv", "data"}),
        (["data", "nothing.csv"], {"data"}),
        (["data", "/sales-", "raw.csv"], {"data/sales-*", "data/raw.csv"}),
        (["data", ".txt", "raw.csv"], {"data/*.txt", "data/raw.csv"}),
        (["data", "*.txt"], {"data/*.txt"}),
        (["data", "parts"], {"data/parts"}),
        (["data", "parts", "one.bin"], {"data/parts/one.bin"}),
        (["data", "data/raw.csv"], {"data/raw.csv"}),
        (["..", "beside", "of.csv"], {"../beside/of.csv"}),
        (["HERE", "raw.csv", "data"], {"HERE/data/raw.csv", "data/raw.csv"}),
        (["HERE", "a column"], set()),
        (["HOME", "TEMPORARY", "/", "a column"], set()),
    ],
)
def test_what_is_named_in_a_folder_counts_and_not_all_of_it(
    texts: list[str], counts: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `DATA / "raw.csv"`: what other steps write beside it is nothing to that one."""
    here = tmp_path / "notebooks"
    for name in ("data/raw.csv", "data/sales-1.csv", "data/a.txt", "data/parts/one.bin", "../beside/of.csv"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).touch()
    monkeypatch.chdir(here)
    known = {"HERE": str(here), "HOME": str(Path.home()), "TEMPORARY": tempfile.gettempdir()}
    texts = [known.get(text, text) for text in texts]
    there = {text.replace("HERE", str(here)) for text in counts}
    assert set(stamps(texts)) == there


def test_texts_are_found_wherever_they_are(tmp_path: Path) -> None:
    settings = {"of": [Path("b"), {"deep": "c"}], "number": 3}
    settings["itself"] = settings
    assert set(texts_in(["a", settings, SimpleNamespace(path="d"), functools.partial(open, "e")])) == set("abcde")
    images = pd.DataFrame({"n": [1, 2], "image": ["a/b.png", "c.png"], "words": ["so it is.", "is"]})
    assert set(texts_in(images)) == set(texts_in({"of": images["image"]})) == {"a/b.png", "c.png"}
    assert set(texts_in([images.set_index("image").index, images["n"], images.groupby("n")])) == set()
    space: dict[str, Any] = {"__name__": "__main__"}
    exec("place = {'of': 'a'}\nclass Here: path = 'b'\ndef load(name='c'): return open(place['of']), Here.path", space)
    assert fingerprint(space["load"]).texts >= {"a", "b", "c"}
    lazily = dask.dataframe.from_map(pd.read_csv, ["data/a.csv"], meta={"a": int})
    assert "data/a.csv" in fingerprint(lazily).texts


def test_any_number_of_files_counts(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}" for number in range(6000)]
    for path in paths:
        path.touch()
    before = stamps(map(str, paths))
    assert len(before) == 5001 and stamps(map(str, paths)) == before
    max(paths, key=str).write_text("x")
    assert {name for name, stamp in stamps(map(str, paths)).items() if stamp != before[name]} == {"other files"}


def test_it_is_said_what_differs() -> None:
    parts = {"its code": "1", "'alpha'": "2", "numpy": "2.0"}
    record = StepRecord(name="train", key=key_of(parts), parts=parts, files={"data.csv": "1"})
    assert what_differs(record, dict(reversed(parts.items())), record.files) == "" and key_of(parts) == record.key
    assert what_differs(record, {**parts, "'alpha'": "y", "'beta'": "1"}, {}) == "'alpha', 'beta' and data.csv"
    told = what_differs(record, {**parts, "its code": "x", "'alpha'": "y", "'beta'": "1"}, record.files)
    assert told == "its code and 'alpha'"


@pytest.mark.parametrize("name", ["", "two words", "../up", "1st", "a" * 49, "tr.ain", "träin"])
def test_a_step_has_an_ordinary_name(name: str) -> None:
    with pytest.raises(InvalidSpec, match="A step can't be called"):
        check_step_name(name)
