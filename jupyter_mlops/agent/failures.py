"""An exception of the user's code, as plain data: it must arrive even where its class doesn't exist."""

from __future__ import annotations

import builtins
import contextlib
import linecache
import pickle
import traceback
import types
from types import FrameType, TracebackType
from typing import Any

from . import missing, sources
from .pickling import dumps, travels

#: How many characters of an item's repr are kept.
ITEM = 200

#: Frames of a traceback that are kept, the last ones: a recursion has thousands.
FRAMES = 50

#: Exceptions that led to another, of which each led to the next, that are kept.
CAUSES = 8

#: How a class written in C, or with `__slots__`, has what isn't in the dictionary of its objects.
_FIELDS = (types.MemberDescriptorType, types.GetSetDescriptorType)

#: The object that lacked an attribute: of any size, and Python itself leaves it out of pickles.
_HEAVY = ("obj",)

_GROUP: type[BaseException] | None = getattr(builtins, "BaseExceptionGroup", None)

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


def record(error: BaseException, ours: str, whole: bool = True, causes: int = CAUSES) -> Record:
    """What is to be known of `error`. Frames of files that start with `ours` are left out; `whole` keeps the exception
    itself, as far as it can be pickled, with at most `causes` others that led to it."""
    frames = strip(error.__traceback__, ours)
    error.__traceback__ = frames
    found: Record = {"error": f"{type(error).__name__}: {error}".rstrip(": "), "traceback": "", "exception": None}
    if not whole:
        return found
    linecache.checkcache()
    text = "".join(traceback.format_exception(type(error), error, frames, limit=-FRAMES))
    found |= {"traceback": sources.labelled(text), "frames": _frames(frames), "exception": _pickled(error)}
    if missed := missing.missed(_chain(error)):
        found["missed"] = missed
    cause = cause_of(error)
    if cause is not None and causes:
        found |= {"cause": record(cause, ours, causes=causes - 1), "direct": error.__cause__ is not None}
    if _GROUP is not None and isinstance(error, _GROUP):
        found["members"] = [record(member, ours, causes=causes) for member in error.exceptions]  # type: ignore[attr-defined]  # Python 3.11 has it
    return found


def cause_of(error: BaseException) -> BaseException | None:
    """What led to `error`, as its traceback shows it."""
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _chain(error: BaseException) -> list[BaseException]:
    """`error`, what led to it, what led to that, and so on."""
    found = [error]
    while (cause := cause_of(found[-1])) is not None and len(found) < CAUSES:
        found.append(cause)
    return found


def strip(frames: TracebackType | None, ours: str) -> TracebackType | None:
    """The traceback from the first to the last frame that is the user's, or a library's that it called: before it are
    ours, and asyncio's where we wait, after it what we refuse, `input()` for one."""
    while frames is not None and _before_users(frames.tb_frame, ours):
        frames = frames.tb_next
    last, each = frames, frames
    while each is not None:
        last, each = (last if _is_ours(each.tb_frame, ours) else each), each.tb_next
    if last is not None:
        last.tb_next = None
    return frames


def _before_users(frame: FrameType, ours: str) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    return _is_ours(frame, ours) or name.partition(".")[0] == "asyncio"


def _is_ours(frame: FrameType, ours: str) -> bool:
    return frame.f_code.co_filename.startswith(ours)


def _frames(frames: TracebackType | None) -> list[tuple[str, str, int, int]]:
    """The file, function, its first line, and the line of each, outermost first."""
    found = []
    while frames is not None:
        code = frames.tb_frame.f_code
        found.append((code.co_filename, code.co_name, code.co_firstlineno, frames.tb_lineno))
        frames = frames.tb_next
    return found[-FRAMES:]


def _pickled(error: BaseException) -> bytes | None:
    """The exception as it pickles itself, if that gives another one like it; else its class, arguments and attributes,
    since many a class can't be made from its arguments again; None where even its class can't travel."""
    is_group = _GROUP is not None and isinstance(error, _GROUP)  # its members are put together again
    with contextlib.suppress(Exception):  # a user's class may fail in any way
        data = dumps(error)
        if not is_group and _alike(pickle.loads(data), error):  # noqa: S301 - it has just been pickled here
            return data
    attributes = {name: value for name, value in (fields_of(error) | vars(error)).items() if travels(value)}
    args = tuple(value if travels(value) else short(value) for value in error.args)
    try:
        return dumps((type(error), args[:1] if is_group else args, attributes))
    except Exception:  # noqa: BLE001 - a user's class may fail in any way; its text is kept
        return None


def _alike(one: BaseException, other: BaseException) -> bool:
    same = type(one) is type(other) and str(one) == str(other) and vars(one).keys() == vars(other).keys()
    return same and fields_of(one) == fields_of(other)


def fields_of(error: BaseException) -> dict[str, Any]:
    """What `error` has besides its arguments and its dictionary: the `code` of a SystemExit, the `filename` of an
    OSError, what its author named in `__slots__`."""
    found: dict[str, Any] = {}
    for kind in type(error).__mro__:
        if kind is BaseException:
            break
        for name, field in vars(kind).items():
            if isinstance(field, _FIELDS) and not name.startswith("__") and name not in _HEAVY:
                with contextlib.suppress(AttributeError):  # it was never set
                    found.setdefault(name, field.__get__(error))
    return {name: value for name, value in found.items() if value is not None}
