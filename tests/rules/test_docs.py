"""What the documentation names is there: files, folders, and the steps from a cell to a worker and back."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "jupyter_mlops"
DOCS = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

#: What is built, or is in somebody's home folder.
_NOT_IN_GIT = ("jupyter_mlops/labextension/", "tests/browser/screenshots/")

_FOLDERS = ("jupyter_mlops", "labextension", "tests", "docs", "benchmarks", "notebooks", "binder", "jupyter-config")
_STEP = re.compile(r"^\| (\d+) \| `([^`]+)` \| ([^|]+) \|", re.M)


@functools.cache
def _files() -> frozenset[str]:
    """All files and folders (with a slash at their end), below the root."""
    found = [path.name for path in ROOT.iterdir() if path.is_file()]
    for name in _FOLDERS:
        for folder, folders, names in os.walk(ROOT / name):
            folders[:] = [each for each in folders if each not in ("node_modules", "__pycache__")]
            relative = Path(folder).relative_to(ROOT)
            found += [f"{relative.as_posix()}/", *((relative / each).as_posix() for each in names)]
    return frozenset(found)


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_each_path_that_is_named_exists(document: Path) -> None:
    """A path may be shortened from the left, as in a table about one folder; one that starts at the root is whole."""
    files = _files()
    missing = [name for name in _named(document.read_text("utf-8")) if not _exists(name, files)]
    assert not missing


def test_each_file_that_the_code_names_exists() -> None:
    """In docstrings and comments: what is told of a file that is no more leads astray."""
    files = _files()
    named = {(path, name) for path in PACKAGE.rglob("*.py") for name in _named(path.read_text("utf-8"))}
    missing = [f"{path.relative_to(ROOT)}: {name}" for path, name in named if not _exists(name, files)]
    assert not missing


def _named(text: str) -> Iterator[str]:
    for quoted in re.findall(r"`([^`\n]+)`", text):
        for word in quoted.split():
            if word.startswith(_NOT_IN_GIT):
                continue
            of_code = re.fullmatch(r"[\w./-]*\w\.(py|tsx?|ipynb)", word)
            of_us = word.partition("/")[0] in _FOLDERS and "/" in word
            if (of_code or of_us) and not re.search(r"[A-Z]{3}|[*<>{}=:]", word):
                yield word


def _exists(name: str, files: frozenset[str]) -> bool:
    return any(file == name or file.rstrip("/") == name or file.endswith(f"/{name}") for file in files)


def test_the_way_from_a_cell_to_a_worker_is_as_described() -> None:
    steps = _STEP.findall((ROOT / "docs" / "architecture.md").read_text("utf-8"))
    assert [int(number) for number, _, _ in steps] == list(range(1, len(steps) + 1))
    assert 5 <= len(steps) <= 10, "short enough to be followed"
    for _, path, names in steps:
        defined = set(_defined(ast.parse((PACKAGE / path).read_text("utf-8"))))
        for name in re.findall(r"`([^`]+)`", names):
            assert name in defined, f"{path} has no {name}"


def _defined(module: ast.Module) -> Iterator[str]:
    for node in module.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{each.name}" for each in node.body if hasattr(each, "name"))


def test_examples_use_public_names_only() -> None:
    """What is shown to users stays where it is: they import `jupyter_mlops`, and nothing below it."""
    texts = {path.name: path.read_text("utf-8") for path in DOCS}
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        texts[path.name] = "\n".join("".join(cell["source"]) for cell in cells)
    deep = re.compile(r"^\s*(?:from jupyter_mlops\.|import jupyter_mlops\.|from jupyter_mlops import)", re.M)
    assert not [name for name, text in texts.items() if deep.search(text)]
