"""What is brought along to where a notebook is run by itself: its code, modules beside it, and files that it names."""

from __future__ import annotations

import ast
import glob
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..client.send.environment import exact_list
from ..client.send.modules import Module, beside, imports_from, imports_in, reached
from ..client.send.syntax import parse
from ..core.errors import InvalidInput, InvalidSpec
from ..core.words import size
from ..home.parcels import PART, zipped
from .cells import CodeCell, read_cells

#: Parts that the files of a notebook may have, compressed: each is an object of its own where they are brought to.
MOST_PARTS = 10

#: Files of a folder or pattern that are looked at.
_MOST_FILES = 10_000

#: Letters of a text that may be the beginning of several names.
_SHORT = 3

_WILD = frozenset("*?[")


@dataclass(frozen=True)
class BroughtNotebook:
    """A notebook with what it needs.

    Parameters
    ----------
    name : of its file, among `files`.
    files : content or path, by name: below the notebook's folder.
    packages : what its code imports that is installed here, with what that needs in turn, as name==version.
    elsewhere : paths in its code that are here, and can't be brought.
    """

    name: str
    files: dict[str, Path | bytes]
    packages: list[str]
    elsewhere: list[str]

    @property
    def digest(self) -> str:
        """By which it is known whether any of the files has changed."""
        made = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            data = content if isinstance(content, bytes) else content.read_bytes()
            made.update(f"{name}\0{hashlib.sha256(data).hexdigest()}\n".encode())
        return made.hexdigest()[:32]

    def parts(self) -> list[bytes]:
        """All of it in parts. Raises `InvalidSpec` where it is too large."""
        try:
            return zipped(self.files, MOST_PARTS)
        except OverflowError:
            largest = max(self.files, key=lambda name: _size(self.files[name]))
            raise InvalidSpec(
                f"{self.name} and the files that it needs are too large to be brought along",
                f"they have more than {size(MOST_PARTS * PART)}, compressed; the largest is {largest}",
                "Put large files where pods find them, in a bucket or on a volume, and name them there.",
            ) from None


def brought(notebook: Path, cells: Sequence[CodeCell], more: Iterable[str] = ()) -> BroughtNotebook:
    """A notebook with what the cells need.

    Parameters
    ----------
    cells : those that are run.
    more : files, folders and patterns besides, from the notebook's folder on.

    Raises
    ------
    InvalidInput : one of `more` isn't there, or lies elsewhere.
    Unreadable, NotFound, InvalidSpec : as `read_cells`.
    """
    root = notebook.parent
    imports = [name for cell in cells for name in imports_in(cell.body, "")]
    found = beside(root, imports)
    modules = {name: found[name] for name in reached(found, imports)}
    trees = [cell.tree for cell in cells] + [tree for each in modules.values() for tree in _parsed(each.text)]
    texts = {text for tree in trees for text in _texts(tree)} | {cell.items for cell in cells if cell.items}
    paths = set(_named(root, texts))
    for each in more:
        its = list(_meant(root, each))
        if not its:
            raise InvalidInput(f"{each!r} can't be brought along", f"there is nothing of that name in {root}", "")
        paths.update(its)
    files: dict[str, Path | bytes] = {path.relative_to(root).as_posix(): path for path in sorted(paths)}
    files |= {_file_of(name, module): module.text.encode() for name, module in modules.items()}
    files[notebook.name] = _plain(notebook)
    used = {name.partition(".")[0] for name in imports_from(found, imports, lazy=True)}
    packages = exact_list(sorted(used - set(sys.stdlib_module_names)))
    return BroughtNotebook(notebook.name, files, packages, sorted(_elsewhere(root, texts)))


def _plain(notebook: Path) -> bytes:
    """The notebook's code, without what it has shown: that may be large, or nobody's business there."""
    if notebook.suffix == ".py":
        return notebook.read_bytes()
    cells = [{"cell_type": "code", "source": cell.source} for cell in read_cells(notebook)]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1).encode()


def _file_of(name: str, module: Module) -> str:
    path = name.replace(".", "/")
    return f"{path}/__init__.py" if module.package else f"{path}.py"


def _parsed(text: str) -> Iterator[ast.Module]:
    try:
        yield parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # it is said where it is imported
        return


def _texts(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _may_be_path(node.value):
            yield node.value


def _may_be_path(text: str) -> bool:
    return 0 < len(text) < 1000 and "\n" not in text and "\0" not in text and any(map(str.isalnum, text))


def _named(root: Path, texts: set[str]) -> Iterator[Path]:
    """The files that texts name. Of a folder in which others name something, only that is meant, as in
    `DATA / "raw.csv"`."""
    todo, seen = [(root, text) for text in sorted(texts)], set[Path]()
    while todo:
        folder, text = todo.pop()
        path = folder / text
        if not path.is_dir():
            yield from _meant(root, str(path.relative_to(root)) if path.is_relative_to(root) else text)
        elif _is_inside(root, path) and path not in seen:
            seen.add(path)
            inside = [other for other in sorted(texts) if list(_meant(root, f"{path.relative_to(root)}/{other}"))]
            todo += [(path, other) for other in inside]
            if not inside:
                yield from _all_in(path)


def _meant(root: Path, text: str) -> Iterator[Path]:
    """The files in `root` that a text means: one, those of a folder or pattern, or that begin so, as parts of f-strings
    do."""
    path = root / text
    try:
        if path.is_dir():
            yield from _all_in(path) if _is_inside(root, path) else ()
        elif path.is_file():
            yield from [path] if _is_inside(root, path) else []
        elif not Path(text).is_absolute() and (_WILD & set(text) or len(path.name) >= _SHORT):
            pattern = text if _WILD & set(text) else f"{glob.escape(text)}*"
            found = (each for each in root.glob(pattern) if each.is_file() and _is_inside(root, each))
            yield from sorted(found)[:_MOST_FILES]
    except (OSError, ValueError, NotImplementedError, IndexError):  # no path or pattern at all, or closed to us
        return


def _all_in(folder: Path) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if not any(map(_is_hidden, path.relative_to(folder).parts)))[:_MOST_FILES]


def _is_hidden(part: str) -> bool:
    """Whether programs leave it there for themselves."""
    return part.startswith((".", "__pycache__"))


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _is_inside(root: Path, path: Path) -> bool:
    """Whether it lies below the notebook's folder, and isn't that."""
    return path.resolve() != root.resolve() and path.resolve().is_relative_to(root.resolve())


def _elsewhere(root: Path, texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        path = Path(text)
        with_name = (path.is_absolute() and len(path.parts) > 2) or text.startswith(("../", "~/"))
        try:
            if with_name and (root / path.expanduser()).exists():
                yield text
        except (OSError, ValueError, RuntimeError):
            continue
