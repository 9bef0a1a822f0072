"""What a service tells its owner of its log, and of its callers, where that is out of reach, as in a pod: a question by
name, a record each way.

Only its owner may ask. Nothing that is asked names a file.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from pydantic_core import to_json

from ..core.base import Record, read_record
from ..core.errors import InvalidInput, NotFound, Unreadable
from ..core.log_questions import ForgottenKey, LoggedIds, LoggedSince, SomeLabels, UsageDays
from ..home.request_copies import copy_of
from ..home.services import ServiceFolder

_R = TypeVar("_R", bound=Record)


def answer(folder: ServiceFolder, question: str, body: bytes) -> bytes:
    """The answer to what the owner of a service asks of its log, as JSON. It takes as long as files do.

    Raises
    ------
    NotFound : there is no such question.
    InvalidInput : it can't be read.
    Unavailable, Unreadable, StorageFull, Refused : as `RequestLog`.
    """
    if question not in _QUESTIONS:
        raise NotFound(f"There is nothing like {question[:100]!r} to be asked of the log", "", "")
    return _QUESTIONS[question](folder, body)


def _read(kind: type[_R], body: bytes) -> _R:
    try:
        return read_record(kind, body, "question")
    except Unreadable as fault:
        raise InvalidInput("What is asked of the log can't be read", str(fault), "") from None


def _copy(folder: ServiceFolder, body: bytes) -> bytes:
    asked = _read(LoggedSince, body)
    return copy_of(folder.requests, asked.since, asked.after).model_dump_json().encode()


def _known(folder: ServiceFolder, body: bytes) -> bytes:
    return LoggedIds(ids=folder.requests.known(_read(LoggedIds, body).ids)).model_dump_json().encode()


def _label(folder: ServiceFolder, body: bytes) -> bytes:
    joined = folder.requests.label(_read(SomeLabels, body).labels, folder.spec().log, time.time())
    return joined.model_dump_json().encode()


def _usage(folder: ServiceFolder, _: bytes) -> bytes:
    return UsageDays(days=folder.usage.days(time.time())).model_dump_json().encode()


def _forget(folder: ServiceFolder, body: bytes) -> bytes:
    key, log = _read(ForgottenKey, body).key, folder.requests
    number = log.forget(key, time.time()) if key and log.exists() else 0
    return to_json({"rows": number})


_QUESTIONS: dict[str, Callable[[ServiceFolder, bytes], bytes]] = {
    "copy": _copy,
    "known": _known,
    "labels": _label,
    "usage": _usage,
    "forget": _forget,
}
