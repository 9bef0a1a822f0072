"""How errors look under a cell: a sentence, or the user's own lines; never ours."""

from __future__ import annotations

import contextlib
import itertools
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, TypeVar

from ..agent import sources
from ..agent.failures import cause_of
from ..client.runs.execution.exceptions import frame_at
from ..client.send import cells
from ..core.errors import InvalidCell, MlopsError, RunError

T = TypeVar("T")

_RED, _PLAIN = "\x1b[31m", "\x1b[0m"


def hide_own_frames(shell: Any, call: Callable[[], T]) -> T:
    """The value of `call`. What it raises for its user is shown without the frames of this package."""
    try:
        return call()
    except SyntaxError as error:  # IPython would add our own frames to it
        invalid = InvalidCell(f"Line {error.lineno} isn't valid Python", error.msg)
        lines = list(shell.SyntaxTB.structured_traceback(SyntaxError, error, []))
        invalid._render_traceback_ = lambda: lines  # type: ignore[attr-defined]  # what IPython looks for
        raise invalid from error
    except KeyboardInterrupt as error:
        error._render_traceback_ = lambda: [f"{_RED}KeyboardInterrupt{_PLAIN}"]  # type: ignore[attr-defined]
        raise
    except MlopsError as error:
        lines = render(shell, error)
        error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]  # what IPython looks for
        raise


def shorten_tracebacks() -> None:
    """From now on IPython shows errors of this package, wherever they are raised, up to the user's own line."""
    MlopsError._render_traceback_ = _rendered  # type: ignore[attr-defined]  # what IPython looks for


def _rendered(error: MlopsError) -> list[str]:
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    lines = _caused(shell, error)
    if lines:
        lines += ["", "The above exception was the direct cause of the following exception:", ""]
    cause, context = error.__cause__, error.__suppress_context__
    error.__cause__ = None  # what led to it is said in its words
    try:
        return lines + _structured(shell, error, _users(error.__traceback__))
    finally:
        error.__cause__, error.__suppress_context__ = cause, context


def _users(frames: TracebackType | None) -> TracebackType | None:
    """The frames before the first one of ours."""
    found = None
    for frame, line in reversed(list(itertools.takewhile(_is_users, traceback.walk_tb(frames)))):
        found = TracebackType(found, frame, frame.f_lasti, line)
    return found


def _is_users(place: tuple[FrameType, int]) -> bool:
    name = str(place[0].f_globals.get("__name__", ""))
    return name.partition(".")[0] != __name__.partition(".")[0]


def render(shell: Any, error: MlopsError) -> list[str]:
    """The lines that IPython shows for `error`: the traceback of the user's own exception, and one sentence."""
    lines = _caused(shell, error)
    return [*lines, *([""] if lines else []), f"{_RED}{type(error).__name__}{_PLAIN}: {error}"]


def _caused(shell: Any, error: MlopsError) -> list[str]:
    """The lines for the user's exception, if that led to `error`."""
    cause = error.__cause__
    return _lines(shell, cause) if isinstance(error, RunError) and cause is not None and cause.__traceback__ else []


def _lines(shell: Any, cause: BaseException) -> list[str]:
    """IPython's own look; Python's where a group is among the exceptions, whose members IPython doesn't show."""
    chain: list[BaseException] = []
    each: BaseException | None = cause
    while each is not None and each not in chain:
        chain.append(each)
        each = cause_of(each)
    if any(hasattr(each, "exceptions") for each in chain):
        text = "".join(traceback.format_exception(cause))
        return sources.labelled(text, cells.labels(_files(text))).splitlines()
    with _in_whole_cells(chain):
        return _structured(shell, cause, cause.__traceback__, tb_offset=0)  # all frames are the user's


def _structured(shell: Any, error: BaseException, frames: TracebackType | None, **options: int) -> list[str]:
    return list(shell.InteractiveTB.structured_traceback(type(error), error, frames, **options))


@contextlib.contextmanager
def _in_whole_cells(chain: Iterable[BaseException]) -> Iterator[None]:
    """For IPython, frames of cells say that they are of a whole file, whose line is counted from its beginning. Of a
    function, a class or a comprehension it would count from the `def` that it finds above, and show another line."""
    before = [(error, error.__traceback__) for error in chain]
    for error, frames in before:
        error.__traceback__ = _whole(frames)
    try:
        yield
    finally:
        for error, frames in before:
            error.__traceback__ = frames


def _whole(frames: TracebackType | None) -> TracebackType | None:
    each, found = list(traceback.walk_tb(frames)), None
    for frame, line in reversed(each):
        code = frame.f_code
        if hasattr(code, "co_qualname") and not Path(code.co_filename).exists():
            frame = frame_at(code.co_filename, "<module>", 1, line, code.co_qualname)
        found = TracebackType(found, frame, frame.f_lasti, line)
    return found


def _files(text: str) -> set[str]:
    return set(re.findall(r'File "([^"]+)", line', text))
