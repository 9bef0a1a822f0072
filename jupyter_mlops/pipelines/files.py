"""The files that a step depends on: those whose paths stand in its code, or in texts that it reads."""

from __future__ import annotations

import bisect
import functools
import glob
import hashlib
import itertools
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from types import FunctionType, ModuleType
from typing import Any

#: Texts and objects that are looked at, characters of a text, and files of a folder or pattern.
MOST_TEXTS, LONGEST, _MOST = 100_000, 1000, 100_000

#: Letters of a word that may be the beginning of many names.
_SHORT = 3

#: Files that are told by their names, of those that texts name.
_NAMED = 5000

#: Folders in which texts are looked for, files of one among which they are, and looks at all.
_FOLDERS, _ENTRIES, _LOOKS = 200, 10_000, 200_000

_WILD = frozenset("*?[")

#: Rows of a table that are looked at, and how a file's path ends.
_LOOKED_AT, _FILE = 20, re.compile(r"\S*\w\.[A-Za-z]\w{0,9}")

#: Stands among texts for code that looks what is in folders.
ALL = "*/"

#: By these it does.
_LISTING = frozenset({"listdir", "scandir", "walk", "iterdir", "rglob"})

#: By these a path's parent is asked for.
_PARENTS = frozenset({"dirname", "parent", "parents", "pardir"})

#: Texts that mean all that is in a folder.
_EVERYTHING = frozenset({ALL, "*", "**", "**/*"})

#: Folders that are texts without a letter.
_ABOVE = frozenset({"~", "..", "../", "../..", "../../", "../../.."})


def texts_in(value: Any) -> Iterator[str]:
    """What a variable has that may be paths: texts and paths, also those in lists, dicts and objects."""
    todo, seen = [value], set[int]()
    for _ in range(MOST_TEXTS):
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
        return itertools.islice(value, MOST_TEXTS)
    if isinstance(value, dict):
        return itertools.islice(list(value.values()), MOST_TEXTS)
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if type(value).__module__.partition(".")[0] == "pandas":
        return _in_table(value)
    if isinstance(value, (type, ModuleType, FunctionType)):  # what these have is looked at with their code
        return ()
    try:
        return list(vars(value).values())
    except Exception:  # noqa: BLE001 - it has none, or is a user's object, which may raise anything
        return ()


def _in_table(value: Any) -> Iterable[Any]:
    """The texts of those columns that begin with names of files."""
    try:
        columns = [value] if value.ndim == 1 else [value.iloc[:, number] for number in range(value.shape[1])]
        named = [column for column in columns if any(map(_names_file, column.iloc[:_LOOKED_AT]))]
        found = (each for column in named for each in column.iloc[:MOST_TEXTS])
        return [str(each) for each in found if isinstance(each, (str, PurePath))]
    except Exception:  # noqa: BLE001 - it is no table, or another version's
        return ()


def _names_file(value: Any) -> bool:
    return isinstance(value, (str, PurePath)) and _FILE.fullmatch(str(value)) is not None


def texts_by(names: Iterable[str]) -> Iterator[str]:
    """The texts that names in code stand for: all of a folder, where it lists some, and the folder above, where it asks
    for a parent."""
    found = frozenset(names)
    yield from [ALL] if found & _LISTING else []
    yield from [".."] if found & _PARENTS else []


def stamps(texts: Iterable[str]) -> dict[str, str]:
    """The files, folders and patterns of files here that `texts` mean, each with what changes when they do: sizes and
    times of change.

    A folder stands for all that is in it; where texts name something in it, for that only, unless one means all. One
    that the notebook itself lies in never stands for all, nor do those of the user and for what is temporary: they
    change all the time.
    """
    words = sorted(set(texts))[:MOST_TEXTS]
    likely = [word for word in words if _may_be_path(word)]
    parts = [word for word in likely if not (word.startswith("/") and Path(word).exists())]
    within = _within([*sorted(_ABOVE.intersection(words)), *filter(_is_folder, likely)], parts)
    files = ({*likely}.union(*within.values())) - within.keys()
    found = {path: stamp for path in sorted(files) if (stamp := _stamp(path))}
    places = sorted(_place(path) for path in {*found, *within})
    busy = sorted(f"{place}{os.sep}" for place in (Path.cwd(), Path.home(), tempfile.gettempdir()))
    for folder, named in within.items():
        in_part = _EVERYTHING.isdisjoint(words) and (named or _any_in(places, folder))
        if not in_part and not _any_in(busy, folder) and (stamp := _stamp(folder)):
            found[folder] = stamp
    return _shortened(sorted(found.items()))


def _within(folders: Iterable[str], parts: Sequence[str]) -> dict[str, set[str]]:
    """Folders, with those that are found in them, and of each the files, folders and patterns that texts mean when they
    come behind its path, as in `folder / "a.csv"`."""
    found, todo, looks = dict[str, set[str]](), list(folders), 0
    while todo and len(found) < _FOLDERS and looks < _LOOKS:
        folder = todo.pop()
        if folder not in found:
            looks += len(parts)
            names = _names_in(folder)
            found[folder] = {path for word in parts for path in _meant(folder, word, names)} if names else set()
            todo += sorted(path for path in found[folder] if _is_folder(path))
    return found


def _meant(folder: str, word: str, names: Sequence[str]) -> Iterator[str]:
    """What a word means in a folder that has these names. Of `f"{folder}/of-{n}.csv"` there are parts only: they mean
    all that begins or ends so."""
    first, _, rest = word.lstrip("/").partition("/")
    at = bisect.bisect_left(names, first)
    begins = at < len(names) and names[at].startswith(first)
    if not begins and not word.startswith(".") and _WILD.isdisjoint(word):
        return  # as nearly all
    path, escaped = str(PurePath(folder, first, rest)), glob.escape(str(PurePath(folder)))
    if begins and names[at] == first and rest and not Path(path).exists():
        yield f"{glob.escape(path)}*"
    elif begins and names[at] == first:
        yield path
    elif begins and not rest and (word.startswith("/") or len(first) > _SHORT):
        yield f"{escaped}/{glob.escape(first)}*"
    elif word.startswith(".") and not rest and any(name.endswith(word) for name in names):
        yield f"{escaped}/*{glob.escape(word)}"
    elif _WILD & set(word):
        yield f"{escaped}/{word.lstrip('/')}"


def _names_in(folder: str) -> list[str]:
    try:
        with os.scandir(Path(folder).expanduser()) as entries:
            return sorted(entry.name for entry in itertools.islice(entries, _ENTRIES))
    except OSError:  # gone, or closed to us
        return []


def _is_folder(text: str) -> bool:
    return os.path.isdir(os.path.expanduser(text))  # noqa: PTH111, PTH112 - there are many


def _place(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - there are many


def _any_in(places: Sequence[str], folder: str) -> bool:
    """Whether one of these, which are sorted, lies in a folder."""
    inside = f"{_place(folder)}{os.sep}"
    at = bisect.bisect_left(places, inside)
    return at < len(places) and places[at].startswith(inside)


def _shortened(found: list[tuple[str, str]]) -> dict[str, str]:
    named, others = dict(found[:_NAMED]), found[_NAMED:]
    if others:
        named["other files"] = hashlib.sha256(repr(others).encode()).hexdigest()[:24]
    return named


def _may_be_path(text: str) -> bool:
    likely = 0 < len(text) <= LONGEST and "\n" not in text and "\0" not in text and any(map(str.isalnum, text))
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
