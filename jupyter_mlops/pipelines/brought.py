"""What is brought along to where a notebook is run by itself: its code, modules beside it, and files that it names."""

from __future__ import annotations

import ast
import glob
import hashlib
import json
import os
import re
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

#: Letters and digits that a pattern has at least: fewer say nothing of what is meant.
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
    files |= {_file_of(name, module): Path(module.path) if module.text else b"" for name, module in modules.items()}
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
    """The texts in code, and patterns for those that it puts together."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if (made := _put_together(node)) is not None:
            text, others = re.sub(r"\*+", "*", made[0]), made[1]
            todo += others
            found = [text] if sum(map(str.isalnum, text)) >= _SHORT else []
        else:
            todo += ast.iter_child_nodes(node)
            found = [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []
        yield from filter(_may_be_path, found)


def _put_together(node: ast.AST) -> tuple[str, list[ast.AST]] | None:
    """The pattern of what an f-string or a sum of texts may be, and what it is made of besides; None of anything
    else."""
    if isinstance(node, ast.JoinedStr):
        parts: list[ast.AST] = [*node.values]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [node.left, node.right]
    else:
        return None
    pattern, others = "", list[ast.AST]()
    for part in parts:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            pattern += glob.escape(part.value)
        elif (inner := _put_together(part)) is not None:
            pattern += inner[0]
            others += inner[1]
        else:
            pattern += "*"
            others.append(part)
    return pattern, others


def _may_be_path(text: str) -> bool:
    """Whether there may be a file of that name: longer ones no disk takes."""
    parts = text.encode(errors="replace").split(b"/")
    return (
        len(text) < 1000 and max(map(len, parts)) < 256 and not {"\n", "\0"} & set(text) and any(map(str.isalnum, text))
    )


def _named(root: Path, texts: set[str]) -> Iterator[Path]:
    """The files that texts name. Of a folder in which others name something, only that is meant, as in
    `DATA / "raw.csv"`."""
    todo, seen = [(root, text) for text in sorted(texts)], set[Path]()
    while todo:
        folder, text = todo.pop()
        path = _below(folder, text)
        if not path.is_dir():
            yield from _meant(root, str(path))
        elif _is_inside(root, path) and path not in seen:
            seen.add(path)
            below = [other for other in sorted(texts) if path in _below(path, other).parents]
            inside = [other for other in below if list(_meant(root, str(_below(path, other))))]
            todo += [(path, other) for other in inside]
            if not inside:
                yield from _all_in(root, path)


def _meant(root: Path, text: str) -> Iterator[Path]:
    """The files in `root` that a text means: one, or those of a folder or pattern."""
    path = _below(root, text)
    try:
        if path.is_dir():
            yield from _all_in(root, path) if _is_inside(root, path) else ()
        elif path.is_file():
            yield from [path] if _is_inside(root, path) else []
        elif _WILD & set(text) and path.is_relative_to(root):
            found = (each for each in root.glob(str(path.relative_to(root))) if each.is_file())
            yield from sorted(each for each in found if _is_inside(root, each))[:_MOST_FILES]
    except (OSError, ValueError, NotImplementedError, IndexError):  # no path or pattern at all, or closed to us
        return


def _below(folder: Path, text: str) -> Path:
    """What a text means from a folder on, without detours: such a path would not be one of a file that is brought."""
    return Path(os.path.normpath(folder / text))


def _all_in(root: Path, folder: Path) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file() and _is_inside(root, path))
    return sorted(path for path in files if not any(map(_is_hidden, path.relative_to(folder).parts)))[:_MOST_FILES]


def _is_hidden(part: str) -> bool:
    """Whether programs leave it there for themselves."""
    return part.startswith((".", "__pycache__"))


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _is_inside(root: Path, path: Path) -> bool:
    """Whether it lies below the notebook's folder, and isn't that."""
    return path.resolve() != root.resolve() and _stays(root, path)


def _elsewhere(root: Path, texts: Iterable[str]) -> Iterator[str]:
    """Those that are paths of something here that isn't brought along, or not to that path; links may lead there."""
    for text in texts:
        path = Path(text)
        if path.is_absolute() and len(path.parts) <= 2:  # more often something else, as the path of an address
            continue
        try:
            leads = path.is_absolute() or text.startswith(("../", "~/")) or not _stays(root, root / path)
            if leads and (root / path.expanduser()).exists():
                yield text
        except (OSError, ValueError, RuntimeError):
            continue


def _stays(root: Path, path: Path) -> bool:
    """Whether it lies below the notebook's folder, or is that."""
    return path.resolve().is_relative_to(root.resolve())
