"""What is brought along to where a notebook is run by itself."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from jupyter_mlops.core.errors import InvalidInput, InvalidSpec
from jupyter_mlops.home.parcels import unzip
from jupyter_mlops.pipelines.brought import BroughtNotebook, brought
from jupyter_mlops.pipelines.cells import read_cells
from jupyter_mlops.pipelines.graph import graph_of


def _notebook(folder: Path, *cells: str) -> Path:
    path = folder / "night.ipynb"
    content = [
        {"cell_type": "markdown", "source": "# Title"},
        *({"cell_type": "code", "source": each, "outputs": [{"text": "a secret"}]} for each in cells),
    ]
    path.write_text(json.dumps({"cells": content}))
    return path


def _brought(path: Path, *more: str) -> BroughtNotebook:
    return brought(path, graph_of(read_cells(path)).to_run(), more)


def _files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_modules_and_files_that_the_steps_need_travel_and_nothing_else(tmp_path: Path) -> None:
    _files(tmp_path, "settings.json", "data/raw.csv", "data/other.csv", "all/a/1.txt", "all/2.txt", "all/.hidden/3.txt")
    _files(tmp_path, "sales-1.csv", "sales-2.csv", "unused.csv", "of-module.txt", "of-no-step.txt")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").write_text("from . import deep")
    (tmp_path / "parts" / "deep.py").write_text("import helper\nFILE = 'of-module.txt'")
    (tmp_path / "helper.py").write_text("import numpy")
    (tmp_path / "unneeded.py").write_text("")
    path = _notebook(
        tmp_path,
        "from pathlib import Path\nfrom parts import deep\nDATA = Path('data')",
        "settings = open('settings.json')\nothers = open('of-no-step.txt')",
        "%%mlrun --step load --map sales-*.csv --as file\n(file, settings, DATA / 'raw.csv', deep)",
        "%%mlrun --step rest\nimport os\nrows = os.listdir('all')",
        "import unneeded\nx = open('unused.csv')",
    )
    found = _brought(path)
    assert set(found.files) == {
        "night.ipynb", "settings.json", "of-no-step.txt", "of-module.txt", "data/raw.csv", "all/a/1.txt", "all/2.txt",
        "sales-1.csv", "sales-2.csv", "parts/__init__.py", "parts/deep.py", "helper.py",
    }  # fmt: skip
    assert "numpy" in [each.partition("==")[0] for each in found.packages]
    assert b"secret" not in b"".join(found.parts()) and not found.elsewhere

    unzip(found.parts(), tmp_path / "there")
    there = tmp_path / "there" / "night.ipynb"
    assert [cell.source for cell in read_cells(there)] == [cell.source for cell in read_cells(path)]
    assert (tmp_path / "there" / "data" / "raw.csv").read_text() == "data/raw.csv"


def test_texts_that_code_puts_together_are_patterns_and_others_mean_what_they_say(tmp_path: Path) -> None:
    _files(
        tmp_path, "sales-1.csv", "sales-2.csv", "sales.secret", "data/2026/a.parquet", "data/2026/a.txt", "day-1.txt"
    )
    path = _notebook(
        tmp_path,
        "table, n, name = {'sales': 1}, 1, 'a'",
        "%%mlrun --step load\n"
        "table['sales'], open(f'sales-{n}.csv'), open('data/' + f'{n}/' + name + f'{n}.parquet'), f'{n}s', 'day'",
    )
    assert set(_brought(path).files) == {"night.ipynb", "sales-1.csv", "sales-2.csv", "data/2026/a.parquet"}
    with pytest.raises(InvalidInput, match="'sales' can't be brought along"):
        _brought(path, "sales")


def test_detours_lead_to_files_that_arrive(tmp_path: Path) -> None:
    work = tmp_path / "work"
    _files(work, "raw.csv", "other.csv", "data/x.csv")
    path = _notebook(work, "%%mlrun --step load\nopen('data/../raw.csv'), open('../work/other.csv')")
    found = _brought(path)
    assert set(found.files) == {"night.ipynb", "raw.csv", "other.csv"} and found.elsewhere == ["../work/other.csv"]
    unzip(found.parts(), tmp_path / "there")
    assert (tmp_path / "there" / "raw.csv").is_file()


def test_texts_that_can_be_no_path_are_no_fault(tmp_path: Path) -> None:
    _files(tmp_path, "x.csv")
    texts = ["x" * 300, "SELECT " + "a, " * 200, "a\0b", "[", "**x", "\udcff", "~nobody/x", "x.csv/y", "x.csv"]
    path = _notebook(tmp_path, f"%%mlrun --step load\ntexts = {texts!a}")
    assert set(_brought(path).files) == {"night.ipynb", "x.csv"}


def test_modules_arrive_as_they_are_written(tmp_path: Path) -> None:
    written = "# coding: latin-1\nWORD = 'grün'\n".encode("latin-1")
    (tmp_path / "helper.py").write_bytes(written)
    unzip(_brought(_notebook(tmp_path, "%%mlrun --step load\nimport helper")).parts(), tmp_path / "there")
    assert (tmp_path / "there" / "helper.py").read_bytes() == written


def test_it_is_another_one_as_soon_as_anything_of_it_is(tmp_path: Path) -> None:
    _files(tmp_path, "a.csv", "more/b.csv")
    (tmp_path / "helper.py").write_text("x = 1")
    step = "%%mlrun --step load\nimport helper\nrows = open('a.csv')"
    path = _notebook(tmp_path, step)
    digests = [_brought(path, "more").digest]
    assert _brought(_notebook(tmp_path, step), "more").digest == digests[0]
    for name, text in (("a.csv", "other"), ("helper.py", "x = 2"), ("more/b.csv", "new")):
        (tmp_path / name).write_text(text)
        digests.append(_brought(path, "more").digest)
    digests.append(_brought(_notebook(tmp_path, step, "y = 1"), "more").digest)
    assert len(set(digests)) == len(digests)


def test_what_lies_elsewhere_is_said_and_never_brought(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    _files(tmp_path, "outside.csv", "secret/key")
    (tmp_path / "work" / "link").symlink_to(tmp_path / "secret")
    _files(tmp_path / "work", "data/x.csv")
    (tmp_path / "work" / "data" / "y.csv").symlink_to(tmp_path / "outside.csv")
    paths = ["../outside.csv", str(tmp_path / "outside.csv"), "link/key", "..", "data"]
    step = f"%%mlrun --step load\nall = {paths!r}"
    path = _notebook(tmp_path / "work", step)
    found = _brought(path)
    assert set(found.files) == {"night.ipynb", "data/x.csv"}
    assert found.elsewhere == ["../outside.csv", str(tmp_path / "outside.csv"), "link/key"]
    for name in ("../outside.csv", "missing.csv", str(tmp_path / "outside.csv")):
        with pytest.raises(InvalidInput, match="can't be brought along"):
            _brought(path, name)


def test_what_is_too_large_names_the_largest(tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(os.urandom(11_000_000))
    path = _notebook(tmp_path, "%%mlrun --step load\nopen('large.bin')")
    with pytest.raises(InvalidSpec, match=r"more than 10 MB, compressed; the largest is large\.bin"):
        _brought(path).parts()


def test_parts_that_lead_elsewhere_make_no_file(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../evil", b"x")
    with pytest.raises(ValueError, match="leads elsewhere"):
        unzip([buffer.getvalue()], tmp_path / "there")
    assert not (tmp_path / "evil").exists()
