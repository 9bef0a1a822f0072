"""The files that code evidently writes, and those that it names otherwise: they lead from cell to cell, too."""

from __future__ import annotations

import ast
import fnmatch
import re
from collections.abc import Collection, Iterator
from pathlib import Path

#: How the functions begin that write files.
_WRITERS = ("ExcelWriter", "copy", "dump", "export", "move", "rename", "save", "to_", "urlretrieve", "write")

#: What of a text is a file's name.
_FILE = re.compile(r"(?:.*/)?([\w .-]*\w\.[A-Za-z]\w{0,9})")


def writes_files(tree: ast.Module) -> frozenset[str]:
    """The names of files that stand in calls that write: `table.to_csv("out/a.csv")` writes `a.csv`."""
    return frozenset(name for call in _writing(tree) for name in _files_in(call))


def reads_files(tree: ast.Module) -> frozenset[str]:
    """The names of files that stand elsewhere."""
    written = {id(node) for call in _writing(tree) for node in ast.walk(call)}
    return frozenset(name for node in ast.walk(tree) if id(node) not in written for name in _file(node))


def entered(tree: ast.Module) -> frozenset[str]:
    """The names that `with … as` gives: files and such, which are closed again."""
    withs = (node for node in ast.walk(tree) if isinstance(node, (ast.With, ast.AsyncWith)))
    given = (item.optional_vars for each in withs for item in each.items)
    return frozenset(name.id for name in given if isinstance(name, ast.Name))


def wrote(names: Collection[str], path: str) -> bool:
    """Whether code that writes files of these names has changed this file, pattern or folder, as far as can be seen."""
    place = Path(path).expanduser()
    if place.is_dir():
        return any((place / name).exists() for name in names)
    return any(fnmatch.fnmatchcase(name, place.name) for name in names)


def _writing(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _writes(node):
            yield node


def _writes(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name == "open":
        modes = [*call.args, *(word.value for word in call.keywords if word.arg == "mode")]
        return any(isinstance(mode, ast.Constant) and re.fullmatch("[wax][bt+]*", str(mode.value)) for mode in modes)
    return str(name).startswith(_WRITERS)


def _files_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        yield from _file(node)


def _file(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and (match := _FILE.fullmatch(node.value)):
        yield match[1]
