"""Which modules go along with code: those of the folder, whatever the folder is."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.client.send.modules import beside
from jupyter_mlops.client.send.payload import ship_function

#: No names of modules, though values and code may have them: builtins come from nowhere, dots lead beyond the top.
NO_NAMES = ["", ".", "..", ".x", "a..b"]


def test_what_has_no_name_is_no_module(tmp_path: Path) -> None:
    """Nor is a file that is named as the folder, beside it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "folder.py").write_text("raise SystemExit")
    (folder / "mine.py").write_text("from . import other\nfrom .. import folder\nimport other")
    (folder / "other.py").write_text("")
    assert set(beside(folder, ["mine", *NO_NAMES])) == {"mine", "other"}
    assert "other" not in beside(Path("/"), ["other", *NO_NAMES])


def test_relative_imports_of_packages_are_followed(tmp_path: Path) -> None:
    inner = tmp_path / "pack" / "inner"
    inner.mkdir(parents=True)
    (inner.parent / "__init__.py").write_text("from .one import a")
    (inner.parent / "one.py").write_text("from .inner import two")
    (inner / "__init__.py").write_text("from . import two\nfrom .. import three\nfrom .... import four")
    for path in (inner / "two.py", inner.parent / "three.py", tmp_path / "four.py"):
        path.write_text("")
    names = {"pack", "pack.one", "pack.inner", "pack.inner.two", "pack.three"}
    assert set(beside(tmp_path, ["pack"])) == names


def test_a_module_is_read_in_its_own_encoding(tmp_path: Path) -> None:
    """One that can't be read is no module: who imports it is told why."""
    (tmp_path / "old.py").write_bytes("# -*- coding: latin-1 -*-\nname = 'é'".encode("latin-1"))
    (tmp_path / "wrong.py").write_bytes(b"name = '\xe9'")
    (tmp_path / "folder.py").mkdir()
    found = beside(tmp_path, ["old", "wrong", "folder"])
    assert set(found) == {"old"} and "'é'" in found["old"].text


def test_a_file_named_as_a_standard_module_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is what the notebook has by that name."""
    for name in ("random", "this"):
        (tmp_path / f"{name}.py").write_text("mine = True")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert not beside(tmp_path, ["random", "this"])
    monkeypatch.setitem(sys.modules, "this", types.ModuleType("this"))
    sys.modules["this"].__file__ = str(tmp_path / "this.py")
    assert set(beside(tmp_path, ["random", "this"])) == {"this"}


def test_packages_without_a_file_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("notebook/parts_of_it", "elsewhere/others_of_it"):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        (folder / "one.py").write_text("")
        monkeypatch.syspath_prepend(str(folder.parent))
    found = beside(tmp_path / "notebook", ["parts_of_it.one", "others_of_it.one"])
    assert set(found) == {"parts_of_it", "parts_of_it.one", "others_of_it", "others_of_it.one"}


def test_what_the_used_ones_import_is_known_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it is imported once for all workers; what other modules of the folder import is not."""
    (tmp_path / "helping_out.py").write_text(
        "from helping_in import np\nimport json, attr.validators\ndef clean(item):\n    import pandas\n    return item"
    )
    (tmp_path / "helping_in.py").write_text("import numpy as np\ndef unused():\n    import scipy")
    (tmp_path / "never_used.py").write_text("import yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    clean = importlib.import_module("helping_out").clean
    importlib.import_module("never_used")
    try:
        assert ship_function(clean, "", "map").head["imports"] == ["attr", "attr.validators", "numpy", "pandas"]
    finally:
        for name in ("helping_out", "helping_in", "never_used"):
            del sys.modules[name]


def test_code_runs_where_the_folder_is_the_root(cluster: mlops.Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in many containers."""
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys.modules["__main__"], "number", 4, raising=False)
    assert mlops.run(lambda: len("four") + 1, cluster=cluster).result(150) == 5
    assert mlops.map(abs, [-1, 2], cluster=cluster).result(150) == [1, 2]
