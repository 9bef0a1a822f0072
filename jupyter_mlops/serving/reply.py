"""Answers of a service that aren't a replica's."""

from __future__ import annotations

from typing import Any

#: What is told with 401: how to come in.
COME_IN = (
    "This service wants a token: send the header 'Authorization: Bearer TOKEN'. Its owner gives one with "
    "service.token('caller')."
)


class PlainReply(Exception):
    """An answer that isn't a replica's.

    Parameters
    ----------
    status : of HTTP.
    body : what becomes JSON, or bytes.
    headers : besides those that each answer has.
    """

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status, self.body, self.headers = status, body, headers or {}


def fault(status: int, words: str, **headers: str) -> PlainReply:
    """An error as the protocol has it."""
    return PlainReply(status, {"error": words}, {name.replace("_", "-"): value for name, value in headers.items()})
