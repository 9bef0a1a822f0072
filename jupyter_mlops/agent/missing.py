"""Files of the notebook that code misses, where it can't run in the notebook's folder.

Python's own errors say which file they miss; those of many a library name it in their text only, in one way or another.
Whether it is a file of the notebook knows who has that folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

#: Characters of an error's text that are looked through, and files that are told of.
TEXT, FILES = 20_000, 16

#: What may be a file's name in a text: what stands in quotes, and each word.
_NAMED = re.compile(
    r"""(?<!\w)'(?P<quoted>[^'\n]+)'|(?<!\w)"(?P<quoted_twice>[^"\n]+)"|`(?P<ticked>[^`\n]+)`|(?P<word>\S+)"""
)

#: What may stand around a word that is a file's name.
_AROUND = ",;:!?()[]{}<>'\"`"

#: The notebook's folder, where the code can't run in it.
_away: str | None = None


def away_from(folder: str | None) -> None:
    """The notebook's `folder` isn't here: errors that may miss a file of it have that in their record; None: it is."""
    global _away
    _away = folder


def missed(errors: Iterable[BaseException]) -> dict[str, Any]:
    """Where in the notebook's folder the files would be that `errors` name and that aren't here; that folder, and the
    one in which the code ran. Empty where the notebook's folder is here, and where they name none."""
    if not _away:
        return {}
    try:
        ran_in = Path.cwd()
    except OSError:  # it was removed
        return {}
    names = dict.fromkeys(name for error in errors for name in _named(error))
    found = {file: None for name in names for file in _files(name, ran_in, Path(_away))}
    files = list(found)[:FILES]
    # kernels with an earlier version look for `file`
    return {"file": files[0], "files": files, "folder": _away, "ran_in": str(ran_in)} if files else {}


def _named(error: BaseException) -> Iterator[str]:
    """What `error` names that may be a file. An error of the system's names it as an attribute, as an argument or
    in quotes; of any other only words count that look like a path."""
    if isinstance(error, OSError):
        known = (error.filename, error.filename2, *(value for value in error.args if value != error.strerror))
        yield from (os.fsdecode(value) for value in known if isinstance(value, (str, bytes, os.PathLike)))
    try:
        text = str(error)[:TEXT]
    except Exception:  # noqa: BLE001 - a user's class may fail in any way
        return
    for match in _NAMED.finditer(text):
        word = match["word"]
        name = match["quoted"] or match["quoted_twice"] or match["ticked"] or word.strip(_AROUND).removesuffix(".")
        name = name.removeprefix("file://")
        if "://" not in name and ("/" in name or Path(name).suffix or (isinstance(error, OSError) and not word)):
            yield name


def _files(name: str, ran_in: Path, folder: Path) -> Iterator[str]:
    """Where the notebook would have the file of that name, if it isn't here; and the folder that it is in, if that
    isn't either."""
    path = ran_in / name
    for each in (path, path.parent):
        if os.path.lexists(each) or each == folder:
            return
        if each.is_relative_to(folder):
            yield str(each)
        elif each.is_relative_to(ran_in):
            yield str(folder / each.relative_to(ran_in))
