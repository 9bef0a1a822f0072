"""Who is told of the runs of this process: their start, and their end.

Runs know nothing of the history of runs; `jupyter_mlops/__init__.py` introduces the two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...core.run import RunState

#: Called on the loop's thread with a run that began or is over; returns at once and raises nothing.
Observer = Callable[["RunState"], None]

_observers: list[Observer] = []


def add(observer: Observer) -> None:
    """From now on tell `observer`; once is enough."""
    if observer not in _observers:
        _observers.append(observer)


def began(run: RunState) -> None:
    """`run` is on its cluster's record."""
    _tell(run)


def ended(run: RunState) -> None:
    """This process has done with `run`. Of a detached run that is out of sight nothing is known."""
    from ...core.run import FINAL  # pydantic: not when a notebook begins

    if run.phase in FINAL and not (run.detached and run.phase == "lost"):
        _tell(run)


def _tell(run: RunState) -> None:
    for observer in _observers:
        observer(run)
