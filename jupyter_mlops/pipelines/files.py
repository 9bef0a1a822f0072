"""The files that a step depends on: those whose paths stand in its code, or in texts that it reads."""

from __future__ import annotations

import glob
import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

#: Texts that are looked at, characters of one, and files of a folder or pattern.
_TEXTS, _LONGEST, _MOST = 10_000, 1000, 10_000

_WILD = frozenset("*?[")


def texts_in(value: Any) -> Iterator[str]:
    """What a variable has that may be paths: a text or path, or a list of them."""
    if isinstance(value, (str, os.PathLike)):
        path = os.fspath(value)
        if isinstance(path, str):
            yield path
    elif isinstance(value, (list, tuple, set, frozenset)):
        for each in itertools.islice(value, _TEXTS):
            if isinstance(each, (str, os.PathLike)):
                yield from texts_in(each)


def stamps(texts: Iterable[str]) -> dict[str, str]:
    """Those of `texts` that are files, folders or patterns of files here, each with what changes when they do: sizes
    and times of change."""
    paths = [text for text in sorted(set(texts))[:_TEXTS] if _may_be_path(text)]
    return {text: stamp for text in paths if (stamp := _stamp(text))}


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
