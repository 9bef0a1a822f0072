"""The files that a step depends on: those whose paths stand in its code, or in texts that it reads."""

from __future__ import annotations

import functools
import glob
import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from types import FunctionType, ModuleType
from typing import Any

#: Texts and objects that are looked at, characters of a text, and files of a folder or pattern.
_TEXTS, _LONGEST, _MOST = 100_000, 1000, 100_000

#: Files that are told by their names, of those that texts name.
_NAMED = 5000

_WILD = frozenset("*?[")


def texts_in(value: Any) -> Iterator[str]:
    """What a variable has that may be paths: texts and paths, also those in lists, dicts and objects."""
    todo, seen = [value], set[int]()
    for _ in range(_TEXTS):
        if not todo:
            return
        each = todo.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, PurePath):
            yield str(each)
        elif id(each) not in seen:
            seen.add(id(each))
            todo += _inside_of(each)


def _inside_of(value: Any) -> Iterable[Any]:
    if isinstance(value, (list, tuple, set, frozenset)):
        return itertools.islice(value, _TEXTS)
    if isinstance(value, dict):
        return itertools.islice(list(value.values()), _TEXTS)
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, (type, ModuleType, FunctionType)):  # what these have is looked at with their code
        return ()
    try:
        return list(vars(value).values())
    except Exception:  # noqa: BLE001 - it has none, or is a user's object, which may raise anything
        return ()


def stamps(texts: Iterable[str]) -> dict[str, str]:
    """Those of `texts` that are files, folders or patterns of files here, each with what changes when they do: sizes
    and times of change."""
    paths = [text for text in sorted(set(texts))[:_TEXTS] if _may_be_path(text)]
    found = [(text, stamp) for text in paths if (stamp := _stamp(text))]
    named, others = dict(found[:_NAMED]), found[_NAMED:]
    if others:
        named["other files"] = hashlib.sha256(repr(others).encode()).hexdigest()[:24]
    return named


def _may_be_path(text: str) -> bool:
    likely = 0 < len(text) <= _LONGEST and "\n" not in text and "\0" not in text and any(map(str.isalnum, text))
    return likely and text.encode(errors="ignore").decode() == text  # others can't be written down


def _stamp(text: str) -> str:
    try:
        path = Path(text).expanduser()
        if path.is_dir():
            return _of_all(_inside(path))
        if path.exists():
            return _of_file(str(path))
        if _WILD & set(text):
            return _of_all(glob.iglob(str(path), recursive=True))  # noqa: PTH207 - it takes absolute patterns, too
    except (OSError, ValueError, RuntimeError):  # no path at all, or closed to us
        pass
    return ""


def _inside(folder: Path) -> Iterator[str]:
    """The files of a folder and of those in it, but for what programs leave there for themselves."""
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__pycache__")))
        yield from (str(Path(where) / name) for name in sorted(names))


def _of_all(paths: Iterable[str]) -> str:
    made = hashlib.sha256()
    files = sorted(itertools.islice(paths, _MOST))
    for path in files:
        made.update(f"{path}\0{_of_file(path)}\n".encode(errors="surrogateescape"))
    return f"{len(files)} files {made.hexdigest()[:24]}" if files else ""


def _of_file(path: str) -> str:
    try:
        stat = Path(path).stat()
    except OSError:  # a link to nowhere, or gone since
        return "gone"
    return f"{stat.st_size} bytes {stat.st_mtime_ns}"
