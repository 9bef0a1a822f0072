"""Which modules go along with code: those of the folder, whatever the folder is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.client.send.modules import beside

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


def test_code_runs_where_the_folder_is_the_root(cluster: mlops.Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in many containers."""
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys.modules["__main__"], "number", 4, raising=False)
    assert mlops.run(lambda: len("four") + 1, cluster=cluster).result(60) == 5
    assert mlops.map(abs, [-1, 2], cluster=cluster).result(60) == [1, 2]
