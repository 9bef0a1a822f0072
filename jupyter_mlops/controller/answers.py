"""Answers as they are sent: `{"format": 1, "ok": value}`, or `{"error": class name, "what", "why", "todo"}`.

(Dask answers None to a name that it doesn't know, which is how a caller sees that a cluster has no controller.)
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from ..core.errors import MlopsError
from ..core.formats import FORMAT

Handler = Callable[..., Awaitable[dict[str, Any]]]


def answering(handler: Callable[..., Any]) -> Handler:
    """`handler` with its answer, or the error that it raises, as it is sent."""

    @functools.wraps(handler)
    async def answer(*args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            value = handler(*args, **kwargs)
            if inspect.isawaitable(value):
                value = await value
        except MlopsError as error:
            return {
                "format": FORMAT,
                "error": type(error).__name__,
                "what": error.what,
                "why": error.why,
                "todo": error.todo,
            }
        if isinstance(value, dict) and "error" in value and "what" in value:
            return value
        return {"format": FORMAT, "ok": value}

    return answer
