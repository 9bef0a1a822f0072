"""An exception of the user's code, as plain data: it must arrive even where its class doesn't exist."""

from __future__ import annotations

import linecache
import traceback
from types import TracebackType
from typing import Any

import cloudpickle

from . import sources

#: How many characters of an item's repr are kept.
ITEM = 200

#: Frames of a traceback that are kept, the last ones: a recursion has thousands.
FRAMES = 50

Record = dict[str, Any]


class RunStopped(KeyboardInterrupt):
    """Raised inside the user's code to stop it."""


def short(value: object, most: int = ITEM) -> str:
    """The repr of `value`, cut, whatever its `__repr__` does."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a user's __repr__ may raise anything
        text = f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    return text if len(text) <= most else text[: most - 1] + "…"


def record(error: BaseException, ours: str, whole: bool = True) -> Record:
    """What is to be known of `error`. Frames of files that start with `ours` are left out; `whole` keeps the exception
    itself, when it can be pickled."""
    frames = strip(error.__traceback__, ours)
    error.__traceback__ = frames
    found: Record = {"error": f"{type(error).__name__}: {error}".rstrip(": "), "traceback": "", "exception": None}
    if whole:
        linecache.checkcache()
        text = "".join(traceback.format_exception(type(error), error, frames, limit=-FRAMES))
        found["traceback"] = sources.labelled(text)
        found["frames"] = _frames(frames)
        found["exception"] = _pickled(error)
    return found


def strip(frames: TracebackType | None, ours: str) -> TracebackType | None:
    """The traceback from the first frame on that is the user's."""
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(ours):
        frames = frames.tb_next
    return frames


def _frames(frames: TracebackType | None) -> list[tuple[str, str, int]]:
    """The file, function and line of each, outermost first."""
    found = []
    while frames is not None:
        code = frames.tb_frame.f_code
        found.append((code.co_filename, code.co_name, frames.tb_lineno))
        frames = frames.tb_next
    return found[-FRAMES:]


def _pickled(error: BaseException) -> bytes | None:
    try:
        data = cloudpickle.dumps(error, protocol=5)
        cloudpickle.loads(data)  # an exception with arguments of its own often can't come back
    except Exception:  # noqa: BLE001 - a user's class may fail in any way; its text is kept
        return None
    return bytes(data)
