"""What a process answers that does something for the server which doesn't belong into that."""

from __future__ import annotations

from typing import Any, TypeVar

from . import errors
from .base import Record
from .errors import MlopsError


class ProcessAnswer(Record):
    """How it went: the error that was raised, by its class's name; none where `error` is empty."""

    error: str = ""
    what: str = ""
    why: str = ""
    todo: str = ""

    def check(self) -> None:
        """Raise that error, if there is one."""
        if self.error:
            kind: Any = getattr(errors, self.error, MlopsError)
            raise kind(self.what, self.why, self.todo)


AnswerT = TypeVar("AnswerT", bound=ProcessAnswer)


def refusal_as(kind: type[AnswerT], error: MlopsError) -> AnswerT:
    """An answer of that kind that says what was raised."""
    return kind(error=type(error).__name__, what=error.what, why=error.why, todo=error.todo)
