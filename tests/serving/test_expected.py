"""A version that is to answer otherwise than the one that serves: it isn't taken back for that, and is where it is
broken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.core.model import Bins
from jupyter_mlops.home.services import service_folder
from jupyter_mlops.serving import deeds
from jupyter_mlops.serving.counting import cells_of

from .conftest import until
from .test_candidate import candidate, traffic

#: Where a number belongs by what is true: most of them into the first class.
EDGES = [0.6, 1.2, 1.8]


def trained(labels: list[int], how: Path | None = None) -> Any:
    """A model that has learnt such a label for each class, and says it only for the last once `how` says so."""

    def predict(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        found = np.array(labels)[np.digitize(X[:, 0], EDGES)]
        return np.where(X[:, 1] < 1.3, labels[2], found) if how is not None and how.read_text() else found

    return predict


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[mlops.Service]:
    """A champion whose labels were mixed up, and three versions that were trained anew: a good one, one that is broken
    where it is served only, and one whose held-out rows were not kept."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    how, rng = tmp_path / "how", np.random.default_rng(0)
    how.write_text("")
    for labels, keeps in (([3, 2, 1, 0], True), ([0, 1, 2, 3], True), ([0, 1, 2, 3], True), ([0, 1, 2, 3], False)):
        X = rng.normal(size=(600, 2))  # other rows for each
        valid = (X, np.digitize(X[:, 0], EDGES))
        number = len(mlops.model("decayed").versions) + 1 if mlops.models() else 1
        mlops.save_model(trained(labels, how if number == 3 else None), "decayed", valid=valid, keep_rows=keeps)
    made = mlops.deploy("decayed@1", log=0)
    yield made
    made.stop()
    asyncio.run(deeds.forget("decayed"))


def test_a_good_version_takes_the_place_of_a_bad_one_and_a_broken_one_goes_back(
    service: mlops.Service, tmp_path: Path
) -> None:
    mlops.deploy("decayed@3", canary=0.5, steps=[0.5])
    wanted = service_folder("decayed").spec().candidate
    assert wanted is not None and wanted.expected is not None
    assert sum(map(sum, wanted.expected.rows)) == 600, "the champion was asked the other's held-out rows"
    with traffic(service):
        (tmp_path / "how").write_text("broken")
        until(lambda: candidate(service).phase == "back")
        assert "they are others: PSI " in candidate(service).words
        assert " from what its held-out rows said" in candidate(service).words
        mlops.deploy("decayed@4", canary=0.5, steps=[0.5])
        until(lambda: candidate(service).phase == "back")
        assert "they are others: PSI " in candidate(service).words, "nobody knows that they are to be"
        mlops.deploy("decayed@2", canary=0.5, steps=[0.5])
        until(lambda: service.state.version == 2)
    last = mlops.trail("decayed")[-1]
    assert (last.verb, last.after) == ("went on", "decayed@2 serves")
    assert "answers: others, as its held-out rows said: PSI " in last.why


def test_what_both_were_saved_with_is_not_asked_again(service: mlops.Service) -> None:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(400, 2))
    valid = (X, np.digitize(X[:, 0], EDGES))
    for labels in ([3, 2, 1, 0], [0, 1, 2, 3]):
        mlops.save_model(trained(labels), "decayed", valid=valid, keep_rows=False)
    mlops.deploy("decayed@5")
    mlops.deploy("decayed@6", ab=0.5)
    wanted = service_folder("decayed").spec().candidate
    assert wanted is not None and wanted.expected is not None
    said = mlops.model("decayed").versions[0]
    assert said.number == 6 and sum(map(sum, wanted.expected.rows)) == 400
    assert len(wanted.model_dump_json()) < 2000, "it is written with each wish"


@pytest.mark.parametrize(
    ("bins", "answers", "cells"),
    [
        (Bins(name="a", edges=[0, 1, 2], counts=[1, 1]), [-1.0, 0.0, 2.0, 2.5, float("nan")], [0, 1, 2, 3, None]),
        (Bins(name="a", values=["x", "y"], counts=[1, 1]), ["y", "x", "z"], [2, 1, 4]),
    ],
)
def test_an_answer_is_found_where_it_is_counted(bins: Bins, answers: list[Any], cells: list[int | None]) -> None:
    found = cells_of(bins, np.array(answers))
    assert [each.index(1) if 1 in each else None for each in found] == cells
