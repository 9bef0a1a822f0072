"""What the steps of a notebook made, as it is kept and sent on."""

from __future__ import annotations

import json
import pickle
import time
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.agent import seals
from jupyter_mlops.core.errors import Unreadable
from jupyter_mlops.core.step import StepRecord
from jupyter_mlops.home.steps import seal_key, seal_key_for, step_folder, use_seal_key
from jupyter_mlops.pipelines.steps import sealed_for
from jupyter_mlops.pipelines.values import kept_steps, packed_steps, unpacked_steps, values_of

#: What unpickling would do that nobody may make it do.
EVIL = b"cos\nsystem\n(S'false'\ntR."


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    path = tmp_path / "night.ipynb"
    cells = [
        "%%mlrun --step load\nrows = 1",
        "%%mlrun --step map --map [1] --out doubled\nitem",
        "%%mlrun --step bad\n1",
    ]
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": each} for each in cells]}))
    return str(path)


def _kept(notebook: str, step: str, given: object, makes: str, key: bytes, **fields: object) -> StepRecord:
    made = time.time()
    record = StepRecord(name=step, key="0" * 24, makes={makes: "digest"}, run="r", made=made).model_copy(update=fields)
    step_folder(notebook, step).keep(record, seals.seal(pickle.dumps(given), key, sealed_for(record)))
    step_folder(notebook, step).note(record)
    return record


def test_variables_and_results_come_back_by_name(notebook: str) -> None:
    _kept(notebook, "load", {"names": pickle.dumps({"rows": [1, 2]})}, "rows", seal_key())
    _kept(notebook, "map", {"results": pickle.dumps([2, 4])}, "doubled", seal_key())
    _kept(notebook, "bad", {"names": pickle.dumps({"bad": 1})}, "bad", seal_key(), error="ValueError: no")
    assert mlops.pipeline(notebook).values() == {"rows": [1, 2], "doubled": [2, 4]}
    parts, left = packed_steps(kept_steps(notebook, ["load", "map", "bad", "none"]))
    assert values_of(unpacked_steps(parts), seal_key()) == {"rows": [1, 2], "doubled": [2, 4]} and not left
    assert not list(kept_steps(notebook, ["load"], since=time.time()))


def test_what_is_too_large_is_named_and_the_rest_sent(notebook: str) -> None:
    _kept(notebook, "load", {"names": pickle.dumps({"rows": bytes(5_000_000)})}, "rows", seal_key())
    _kept(notebook, "map", {"results": pickle.dumps([2, 4])}, "doubled", seal_key())
    parts, left = packed_steps(kept_steps(notebook, ["load", "map"]))
    assert left == ["load"] and values_of(unpacked_steps(parts), seal_key()) == {"doubled": [2, 4]}
    assert packed_steps([]) == ([], []) and unpacked_steps([]) == []


def test_what_another_has_sealed_is_never_unpickled(notebook: str) -> None:
    mine = seal_key_for("schedule a")
    assert mine not in (seal_key(), seal_key_for("schedule b"))
    _kept(notebook, "load", {"names": EVIL}, "rows", seal_key_for("schedule b"))
    parts, _ = packed_steps(kept_steps(notebook, ["load"]))
    with pytest.raises(Unreadable, match="it isn't what the step made"):
        values_of(unpacked_steps(parts), mine)
    with pytest.raises(Unreadable, match="can't be read"):
        unpacked_steps([b"no archive"])
    use_seal_key(mine)
    assert seal_key() == mine
