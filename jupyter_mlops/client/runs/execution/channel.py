"""Carries prints, progress, requests and the end from a run's background work to the thread that waits for the run."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ....core.run import Entry, RunState

#: Entries that are kept while nobody looks.
KEPT = 20_000


@dataclass(frozen=True)
class Display:
    """What a run's code displayed: text, bytes or plain data by MIME type. With `update` it takes the place of what was
    displayed with the same `id`."""

    bundle: dict[str, Any]
    id: str | None
    update: bool


#: What is shown of a run, in its order.
Shown = Entry | Display


class Channel:
    """Safe to use from any thread."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._entries: deque[Shown] = deque(maxlen=KEPT)
        self._requests: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._state: RunState | None = None
        self._news = 0
        self.over = threading.Event()

    def put(self, state: RunState | None, entries: Sequence[Shown]) -> None:
        """Hand over the run's new state, and what it printed and logged since the last time."""
        with self._condition:
            self._entries.extend(entries)
            self._state = state or self._state
            self._ring()

    def say(self, text: str) -> None:
        """Show a line of ours among what the run prints."""
        self.put(None, [Entry(seq=0, time=time.time(), kind="print", text=f"{text}\n", stream="stderr")])

    def ring(self) -> None:
        """Wake who waits."""
        with self._condition:
            self._ring()

    def _ring(self) -> None:
        self._news += 1
        self._condition.notify_all()

    def request(self, call: Callable[[], Any]) -> Future[Any]:
        """Have `call` made in the thread that waits for the run."""
        future: Future[Any] = Future()
        with self._condition:
            self._requests.append((call, future))
            self._ring()
        return future

    def end(self) -> None:
        """Say that nothing comes any more."""
        self.over.set()
        with self._condition:
            pending, self._requests = list(self._requests), deque()
            self._ring()
        for _, future in pending:
            future.cancel()

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until there is news after the number `seen`, for at most `timeout` seconds. Returns the number to hand
        in the next time."""
        with self._condition:
            if self._news <= seen and not self.over.is_set():
                self._condition.wait(timeout)
            return self._news

    def take(self) -> tuple[RunState | None, list[Shown]]:
        """The state, when it is new, and the new entries."""
        with self._condition:
            state, entries = self._state, list(self._entries)
            self._state = None
            self._entries.clear()
        return state, entries

    def serve(self) -> None:
        """Make the calls that were requested, in this thread."""
        while True:
            with self._condition:
                if not self._requests:
                    return
                call, future = self._requests.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except Exception as error:  # noqa: BLE001 - the user's iterator may raise anything; it is handed on
                future.set_exception(error)
            except BaseException as error:
                future.set_exception(error)
                raise
