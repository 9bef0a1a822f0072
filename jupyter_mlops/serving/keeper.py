"""What a router does with the rows that its replicas log: it keeps as many as it may, and looks how good they are as
labels come. As with counts, nothing of this is done while somebody waits for an answer."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..core.base import Time, read_record
from ..core.cluster import Problem
from ..core.errors import MlopsError, Unreadable
from ..core.logged import Allowance, RequestSample, SampleSettings, most_even
from ..core.performance import worse_alarm
from ..core.service import ServiceSpec
from ..home.services import ServiceFolder

#: How many times longer than it took to add up all rows it is at least until that is done again.
_REST = 100

#: Seconds between two tidyings, and before the first one: nobody who starts a service waits for it.
_TIDY, _FIRST = 900.0, 60.0

#: Seconds by which a replica's clock may differ from this one's.
_ODD = 600.0


class RequestKeeper:
    """Logs what one version of a service is asked, and knows how good it is.

    Parameters
    ----------
    say : called with a line for the log of the service.
    """

    def __init__(self, folder: ServiceFolder, spec: ServiceSpec, say: Callable[[str], None]) -> None:
        self._folder, self._log, self._say, self._spec = folder, folder.requests, say, spec
        self._heard: list[bytes] = []
        self._allowance = Allowance(spec.log_rows, time.time())
        self._tidied: Time = time.time() - _TIDY + _FIRST
        self._seen: tuple[int, int] | None = None
        self._again, self._said = 0.0, ""
        #: What there is to say where the version is worse than it was.
        self.alarm: Problem | None = None

    def follow(self, spec: ServiceSpec) -> None:
        """The same version with another wish."""
        if spec.log_rows != self._allowance.rows:
            self._allowance = Allowance(spec.log_rows, time.time())
        self._spec = spec

    def settings(self, spec: ServiceSpec) -> SampleSettings | None:
        """What replicas are to log for a wish; None for nothing."""
        if spec.log <= 0:
            return None
        try:
            return SampleSettings(share=spec.log, rows=spec.log_rows, private=spec.private, salt=self._log.salt())
        except MlopsError as error:
            self._complain(f"no request is logged: {error}")
            return None

    def hear(self, logged: bytes) -> None:
        """Take what a replica has logged. It runs what people wrote, and may say anything."""
        if logged:
            self._heard.append(logged)

    def look(self, *, last: bool = False) -> None:
        """Keep what was heard, remove what is old, and look how good the version is.

        Parameters
        ----------
        last : whether nobody looks again.
        """
        try:
            self._add()
            now = time.time()
            if not last and not 0 <= now - self._tidied < _TIDY:
                self._tidied = now
                self._log.tidy(now, self._spec.keep)
            self._measure(last)
            self._said = ""
        except MlopsError as error:
            self._complain(f"what it is asked can't be logged: {error}")

    def _add(self) -> None:
        heard, self._heard = self._heard, []
        for logged in heard:
            try:
                sample = read_record(RequestSample, logged, "replica's log")
            except Unreadable as fault:
                self._complain(str(fault))
                continue
            now = time.time()
            rows = most_even(sample.rows, self._allowance.take(len(sample.rows), now))
            rows = [row if abs(now - row.time) < _ODD else row.model_copy(update={"time": now}) for row in rows]
            if rows:
                self._log.add(rows, self._spec.digest, self._spec.version, sample.task, sample.unsure)

    def _measure(self, last: bool) -> None:
        """How good the version is, where anything has changed: rows, or labels that somebody has joined."""
        seen = self._log.changed_at()
        if seen is None or seen == self._seen or (time.monotonic() < self._again and not last):
            return
        began = time.perf_counter()
        told = self._folder.measure(self._spec)
        self._seen, self._again = seen, time.monotonic() + _REST * (time.perf_counter() - began)
        after = worse_alarm(self._spec.name, told)
        if after != self.alarm:
            self._say(
                f"{after.what}: {after.why}" if after is not None else "what it answers is as good as it was again"
            )
        self.alarm = after

    def _complain(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self._say(words)
