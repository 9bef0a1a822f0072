"""Makes exceptions of the records that workers send (`agent/failures.py`): of the same class, with the user's lines."""

from __future__ import annotations

import contextlib
import inspect
from types import FrameType, TracebackType
from typing import Any

from .arrived import arrived

#: File, function, the function's first line, and the line that ran.
Frame = tuple[str, str, int, int]


def exception_of(record: dict[str, Any]) -> BaseException:
    """The exception in a worker's record, with its traceback and causes: itself, or one of the same name where its
    class can't be had here."""
    members = [exception_of(member) for member in record.get("members", [])]
    error = _itself(record, members)
    if error is None:
        name, _, message = record["error"].partition(": ")
        error = type(name, (Exception,), {"__module__": "builtins"})(message)
    if record.get("cause"):
        cause = exception_of(record["cause"])
        if record["direct"]:
            error.__cause__ = cause
        else:
            error.__context__ = cause
    return error.with_traceback(_traceback(record.get("frames") or []))


def _itself(record: dict[str, Any], members: list[BaseException]) -> BaseException | None:
    if not record.get("exception"):
        return None
    try:
        found = arrived(record["exception"])
        if isinstance(found, tuple):  # what it is made of: its own `__init__` wants other arguments
            kind, args, attributes = found
            args = (*args, members) if members else args
            made = kind.__new__(kind, *args)
            made.args = args
            for name, value in attributes.items():
                with contextlib.suppress(AttributeError, TypeError):  # one that can only be read, made of the arguments
                    object.__setattr__(made, name, value)
            found = made
    except Exception:  # noqa: BLE001 - a class of the worker that this kernel lacks, or that refuses
        return None
    return found if isinstance(found, BaseException) else None


def _traceback(frames: list[Frame] | dict[str, Any]) -> TracebackType | None:
    """A traceback through `frames`, outermost first."""
    found = None
    for filename, name, first, line in reversed(_before_0_2(frames) if isinstance(frames, dict) else frames):
        frame = frame_at(filename, name, first, line)
        found = TracebackType(found, frame, frame.f_lasti, line)
    return found


def frame_at(filename: str, name: str, first: int, line: int, qualname: str | None = None) -> FrameType:
    """A frame that is at `line` of a function that begins at `first`: IPython asks the frame and its code for both.

    Parameters
    ----------
    qualname : the function's name in its class or function, if it is another one.
    """
    code = compile("\n" * (line - first) + "frame = look()", filename, "exec")
    names: dict[str, Any] = {"co_name": name}
    if hasattr(code, "co_qualname"):
        names["co_qualname"] = qualname or name
    space: dict[str, Any] = {"look": inspect.currentframe, "__name__": "__main__", "__file__": filename}
    exec(code.replace(co_firstlineno=first, **names), space)  # noqa: S102 - three words of ours
    frame: FrameType = space["frame"]
    return frame


def _before_0_2(traceback: dict[str, Any] | None) -> list[Frame]:
    """The frames of a record that was written by a version before 0.2."""
    found = []
    while traceback:
        code = traceback["tb_frame"]["f_code"]
        found.append((code["co_filename"], code["co_name"], traceback["tb_lineno"], traceback["tb_lineno"]))
        traceback = traceback["tb_next"]
    return found
