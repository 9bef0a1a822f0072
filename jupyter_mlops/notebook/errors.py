"""How errors look under a cell: a sentence, or the user's own lines; never ours."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from ..agent import sources
from ..agent.failures import cause_of
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


def render(shell: Any, error: MlopsError) -> list[str]:
    """The lines that IPython shows for `error`: the traceback of the user's own exception, and one sentence."""
    cause = error.__cause__
    lines: list[str] = []
    if isinstance(error, RunError) and cause is not None and cause.__traceback__ is not None:
        lines = _lines(shell, cause)
        lines.append("")
    return [*lines, f"{_RED}{type(error).__name__}{_PLAIN}: {error}"]


def _lines(shell: Any, cause: BaseException) -> list[str]:
    """IPython's own look; Python's where a group is among the exceptions, whose members IPython doesn't show."""
    chain: list[BaseException] = []
    each: BaseException | None = cause
    while each is not None and each not in chain:
        chain.append(each)
        each = cause_of(each)
    if not any(hasattr(each, "exceptions") for each in chain):
        return list(shell.InteractiveTB.structured_traceback(type(cause), cause, cause.__traceback__))
    text = "".join(traceback.format_exception(cause))
    return sources.labelled(text, cells.labels(_files(text))).splitlines()


def _files(text: str) -> set[str]:
    return set(re.findall(r'File "([^"]+)", line', text))
