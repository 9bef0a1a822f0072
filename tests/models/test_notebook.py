"""A version leads to the notebook that it was saved from, as it was, and to its run; and the run to its versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.client.clusters.choose import NOTEBOOK
from jupyter_mlops.core.errors import NotFound

from ..notebook.kernels import Kernel

SAVE = "import jupyter_mlops as mlops\nmlops.save_model(len, 'churn').name"


def cell(source: str | list[str], **more: Any) -> dict[str, Any]:
    told = {"id": "a1", "cell_type": "code", "metadata": {}, "source": source, "execution_count": 3, "outputs": []}
    return {**told, **more}


def notebook(*cells: dict[str, Any], **more: Any) -> str:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells), **more})


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "train.ipynb"
    monkeypatch.setenv(NOTEBOOK, str(path))
    return path


def sources(path: Path) -> list[str]:
    return ["".join(each["source"]) for each in json.loads(path.read_text())["cells"]]


def test_it_is_kept_without_outputs_and_given_back_as_a_copy(book: Path, home: Path, tmp_path: Path) -> None:
    secret = {"output_type": "stream", "text": "the password"}
    told = {"kernelspec": {"name": "python3"}, "widgets": {"value": "the password"}}
    of_cell = {"tags": ["t"], "executionInfo": {"user": "the password"}}
    typed = cell(["x = 1\n", "x"], outputs=[secret], metadata=of_cell)
    book.write_text(notebook(typed, {"cell_type": "markdown", "metadata": {}, "source": "# Why"}, metadata=told))
    version = mlops.save_model(len, "churn")
    book.write_text(notebook(cell("x = 2")))
    assert "the password" not in "".join(
        path.read_text(errors="replace") for path in home.rglob("*") if path.is_file() and path.name != "freeze.txt"
    )
    first = version.notebook()
    assert first.parent == tmp_path and first.name.startswith("churn@1 as of ")
    assert first.suffixes == [".ipynb"]
    told, *rest = sources(first)
    assert told.startswith("**churn@1** was saved ") and "`train.ipynb`" in told
    assert rest == ["x = 1\nx", "# Why"]
    known = json.loads(first.read_text())
    assert known["metadata"] == {"kernelspec": {"name": "python3"}}
    assert known["cells"][1]["metadata"] == {"tags": ["t"]} and known["cells"][1]["execution_count"] is None
    first.write_text("mine")
    again = version.notebook()
    assert again.name == f"{first.stem} (2).ipynb" and first.read_text() == "mine"
    (version.path.parent / "notebook.ipynb").write_text("{}")
    assert not next(each for each in version.verify() if each.what == "files").passed


@pytest.mark.parametrize(
    "content",
    [None, "", "[]", "{", '{"nbformat": 4}', notebook(nbformat=3), notebook(cell("x" * 5_100_000)), "[" * 5000],
)
def test_without_one_that_can_be_kept_a_version_is_saved_all_the_same(book: Path, content: str | None) -> None:
    if content is not None:
        book.write_text(content)
    version = mlops.save_model(len, "churn")
    assert version.record.made.notebook == str(book) and version.record.made.notebook_saved is None
    with pytest.raises(NotFound, match="churn@1 has no notebook"):
        version.notebook()


def test_a_process_without_a_notebook_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NOTEBOOK, raising=False)
    with pytest.raises(NotFound, match="wasn't saved from one that is known"):
        mlops.save_model(len, "churn").notebook()


@pytest.mark.slow
def test_code_that_was_not_saved_in_it_is_told(book: Path) -> None:
    book.write_text(notebook(cell("import jupyter_mlops as mlops\n\n  mlops.save_model(len, 'churn').name")))
    kernel = Kernel(book.parent, None)
    try:
        assert kernel.run(SAVE).result == "'churn@1'"
        assert kernel.run(f"%env A=1\n{SAVE}").result == "'churn@2'"
    finally:
        kernel.close()
    churn = mlops.model("churn")
    assert [each.record.made.unsaved for each in churn.versions] == [True, False]
    first, ran, last = sources(churn.version(2).notebook())
    assert "hadn't been saved in it" in first and "save_model" in ran and "save_model" in last
    assert len(sources(churn.version(1).notebook())) == 2
    assert all(each.passed for each in churn.verify() if not each.what.startswith("environment"))
