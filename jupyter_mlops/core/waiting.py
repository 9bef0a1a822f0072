"""Waiting that neither loses a cancellation nor outlasts its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from .base import Seconds

T = TypeVar("T")

#: Seconds after which what still goes on is cancelled again.
_AGAIN: Seconds = 5.0


async def wait_for(awaitable: Awaitable[T], timeout: Seconds) -> T:
    """What `awaitable` gives within `timeout`; it is cancelled when that is over, or when the caller is.

    As `asyncio.wait_for`, which in Python 3.10 and 3.11 forgets that its caller was cancelled when the answer comes at
    that very moment (https://github.com/python/cpython/issues/86296): a loop that was to end would go on for ever.

    Raises
    ------
    asyncio.TimeoutError : it took longer.
    """
    waited, done = asyncio.ensure_future(awaitable), set[asyncio.Future[T]]()
    try:
        done, _ = await asyncio.wait({waited}, timeout=timeout)
    finally:
        if not done:  # it is late, or the caller was cancelled
            await end_tasks(waited)
    if not done:
        raise asyncio.TimeoutError
    return waited.result()


async def until_set(event: asyncio.Event, timeout: Seconds) -> bool:
    """Return when `event` is set, or after `timeout`; whether it was set."""
    try:
        return await wait_for(event.wait(), timeout)
    except asyncio.TimeoutError:
        return event.is_set()  # at the last moment


async def to_the_end(awaitable: Awaitable[T]) -> T:
    """What `awaitable` gives. Who is cancelled meanwhile is so once it is through, however long that takes: for what a
    task that ends has to put back, since `end_tasks` cancels one that takes its time again and again."""
    work, cancelled = asyncio.ensure_future(awaitable), None
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return work.result()
    await asyncio.gather(work, return_exceptions=True)  # what it raised was seen
    raise cancelled


async def end_tasks(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and return when they have ended, whatever they end with.

    Each is cancelled again for as long as it goes on: Dask uses `asyncio.wait_for`, which loses a cancellation as told
    above. A loop that tries to connect would go on for ever, and with it whoever waits for its end.
    """
    going = {task for task in tasks if not task.done()}
    while going:
        for task in going:
            task.cancel()
        _, going = await asyncio.wait(going, timeout=_AGAIN)
    await asyncio.gather(*tasks, return_exceptions=True)  # what they raised was seen
