"""The notebook that a version was saved from, as it was: kept without outputs, and given back as a copy."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..core.base import Time
from ..core.errors import NotFound
from ..core.model import ModelVersion
from ..home import guarded
from ..home.models import NOTEBOOK, SOURCE, VersionFolder

#: Bytes of a notebook that are read, with outputs, and of one that are kept, without.
_MOST_READ, _MOST_KEPT = 100_000_000, 5_000_000

#: What is kept of the metadata of a notebook and of a cell. The rest is of tools and people: widgets' values, when and
#: by whom a cell was run.
_OF_NOTEBOOK, _OF_CELL = ("kernelspec", "language_info", "title"), ("tags", "name", "jupyter", "slideshow", "format")

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class KeptNotebook(NamedTuple):
    """A notebook as it is kept: its text, when it had been saved last, and whether the code that ran isn't in it."""

    content: bytes
    saved: Time
    unsaved: bool


def kept_notebook(path: str, code: str) -> KeptNotebook | None:
    """The notebook at `path` as it had been saved last, without outputs; None where there is none that can be read and
    kept, which is no reason not to save a model.

    Parameters
    ----------
    code : what ran, as it was typed.
    """
    if not path:
        return None
    try:
        file = Path(path)
        found = file.stat()
        if found.st_size > _MOST_READ or file.suffix != ".ipynb":
            return None
        read = json.loads(file.read_bytes())
        content = json.dumps(_stripped(read), ensure_ascii=False, indent=1).encode()
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if len(content) > _MOST_KEPT:
        return None
    ran = _bare(code)
    there = any(ran in _bare(cell["source"]) for cell in _cells(read))
    return KeptNotebook(content, found.st_mtime, bool(ran) and not there)


def _stripped(book: dict[str, Any]) -> dict[str, Any]:
    if book["nbformat"] != 4:
        raise ValueError("of a format that is too old, or too new")
    cells = []
    for cell in _cells(book):
        kept: dict[str, Any] = {name: cell[name] for name in ("id", "cell_type", "attachments") if name in cell}
        kept |= {"metadata": _some(cell.get("metadata"), _OF_CELL), "source": cell["source"]}
        cells.append({**kept, "execution_count": None, "outputs": []} if cell["cell_type"] == "code" else kept)
    told = {"nbformat": 4, "nbformat_minor": int(book["nbformat_minor"])}
    return {**told, "metadata": _some(book.get("metadata"), _OF_NOTEBOOK), "cells": cells}


def _cells(book: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for cell in book["cells"]:
        source = cell["source"]
        yield {**cell, "source": source if isinstance(source, str) else "".join(source)}


def _some(metadata: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: metadata[name] for name in names if name in (metadata or {})}


def _bare(code: str) -> str:
    """Code without what a save or a function's place changes: indents, empty lines."""
    return "\n".join(line.strip() for line in code.splitlines() if line.strip())


def copy_of(folder: VersionFolder, version: ModelVersion) -> dict[str, Any]:
    """The notebook of a version with a cell before it that says what it is; raises `NotFound`."""
    content = folder.read(NOTEBOOK) if NOTEBOOK in version.files else None
    try:
        book: dict[str, Any] = json.loads(content or b"")
        cells: list[dict[str, Any]] = list(book["cells"])
    except (ValueError, TypeError, KeyError):
        raise _missing(version, content is not None) from None
    made = version.made
    saved = "" if made.notebook_saved is None else f", as it had been saved last ({_moment(made.notebook_saved)})"
    told = [f"**{version.name}** was saved {_moment(version.created)} from `{Path(made.notebook).name}`."]
    told += [f"This is a copy of that notebook{saved}, without outputs."]
    told += [f"The run that made it: {made.run_name or made.run} (`{made.run}`)."] if made.run else []
    first = [_cell("markdown", " ".join(told))]
    if made.unsaved:
        ran = (folder.read(SOURCE) or b"").decode(errors="replace")
        first[0]["source"] += " The code that ran hadn't been saved in it: the next cell has it."
        first.append({**_cell("code", ran), "execution_count": None, "outputs": []})
    if book["nbformat_minor"] >= 5:
        first = [{**cell, "id": f"as-it-was-{number}"} for number, cell in enumerate(first)]
    return {**book, "cells": [*first, *cells]}


def write_copy(folder: VersionFolder, version: ModelVersion, where: Path) -> Path:
    """Write that copy into a folder, and never over a file; returns where it lies. Raises `NotFound`, `StorageFull`,
    `Refused`."""
    text = json.dumps(copy_of(folder, version), ensure_ascii=False, indent=1)
    for number in itertools.count(1):
        path = where / copy_name(version, number)
        with guarded(path), contextlib.suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
            try:
                file.write(text)
                file.flush()
            except OSError:
                path.unlink(missing_ok=True)
                raise
            return path
    raise AssertionError  # there is always another number


def copy_name(version: ModelVersion, number: int = 1) -> str:
    """What a copy is called: "churn@3 as of 12 May 2026.ipynb"."""
    at = time.localtime(version.made.notebook_saved or version.created)
    day = f"{at.tm_mday} {_MONTHS[at.tm_mon - 1]} {at.tm_year}"
    return f"{version.name} as of {day}{'' if number == 1 else f' ({number})'}.ipynb"


def _cell(kind: str, source: str) -> dict[str, Any]:
    return {"cell_type": kind, "metadata": {}, "source": source}


def _moment(at: Time) -> str:
    when = time.localtime(at)
    return f"{when.tm_mday} {_MONTHS[when.tm_mon - 1]} {when.tm_year} {time.strftime('%H:%M', when)}"


def _missing(version: ModelVersion, damaged: bool) -> NotFound:
    if damaged:
        why = "the file is damaged"
    elif not version.made.notebook:
        why = "it wasn't saved from one that is known"
    else:
        why = f"{version.made.notebook} couldn't be read then, or is too large, or an older release saved it"
    return NotFound(f"{version.name} has no notebook", why, "The code that made it is in its source.py.")
