"""What a router does with the rows that its replicas log: it keeps as many as it may, and looks how good they are as
labels come. As with counts, nothing of this is done while somebody waits for an answer."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from ..core.base import Time, read_record
from ..core.cluster import Problem
from ..core.errors import MlopsError, Unreadable
from ..core.logged import Allowance, LoggedRow, RequestSample, SampleSettings, most_even
from ..core.performance import worse_alarm
from ..core.service import ServiceSpec
from ..home.requests import LATE
from ..home.services import ServiceFolder

#: How many times longer than it took to add up all rows it is at least until that is done again. What took is time of
#: a CPU: others may have it for long.
_REST = 100

#: Seconds between two tidyings, and before the first one: nobody who starts a service waits for it.
_TIDY, _FIRST = 900.0, 60.0

#: Rows that wait at most where they can't be written: the disk is full, or the file is used.
_MOST_WAITING = 5000


def sample_of(spec: ServiceSpec) -> SampleSettings:
    """What replicas are to log for a wish. While two versions answer, what is private of one of them is so of both."""
    private = {*spec.private, *(spec.candidate.private if spec.candidate is not None else [])}
    return SampleSettings(share=spec.log, rows=spec.log_rows, private=sorted(private))


class RequestKeeper:
    """Logs what one version of a service is asked, and knows how good it is.

    Parameters
    ----------
    say : called with a line for the log of the service.
    measures : whether it looks how good the version is, too: it is the one that serves.
    """

    def __init__(
        self, folder: ServiceFolder, spec: ServiceSpec, say: Callable[[str], None], *, measures: bool = True
    ) -> None:
        self._folder, self._log, self._say, self._spec = folder, folder.requests, say, spec
        self._measures = measures
        self._heard: deque[bytes] = deque()
        self._looking = threading.Lock()
        #: What isn't written yet: rows that may be logged, of what task, and why it can't be told how good they are.
        self._unwritten: deque[tuple[Sequence[LoggedRow], str, str]] = deque()
        self._allowance = Allowance(spec.log_rows, time.time())
        self._tidied: Time = time.time() - _TIDY + _FIRST
        self._seen: tuple[int, int] | None = None
        self._again, self._said = 0.0, ""
        #: What can't be kept, and why.
        self.unkept = ""
        #: What there is to say where the version is worse than it was.
        self.alarm: Problem | None = None

    def follow(self, spec: ServiceSpec) -> None:
        """The same version with another wish."""
        if spec.log_rows != self._allowance.rows:
            self._allowance = Allowance(spec.log_rows, time.time())
        self._spec = spec

    def hear(self, logged: bytes) -> None:
        """Take what a replica has logged. It runs what people wrote, and may say anything."""
        if logged:
            self._heard.append(logged)

    def look(self, *, last: bool = False) -> None:
        """Keep what was heard, remove what is old, and look how good the version is. Nobody is waited for who holds
        the files: a notebook that reads them may have been stopped meanwhile.

        Parameters
        ----------
        last : whether nobody looks again.
        """
        with self._looking:
            try:
                self._choose()
                self._write()
                if not last:
                    self._tidy()
                self._measure(last)
                self._said = self.unkept = ""
            except MlopsError as error:
                self.unkept = f"what it is asked can't be logged: {error}"
                self._complain(self.unkept)

    def _choose(self) -> None:
        """Take as many as may be logged of what was heard."""
        while self._heard:
            try:
                sample = read_record(RequestSample, self._heard.popleft(), "replica's log")
            except Unreadable as fault:
                self._complain(str(fault))
                continue
            now = time.time()
            # One of the future is of a clock that was set back since. Of an old one nobody may know any more whether
            # its key was forgotten.
            rows = [row.model_copy(update={"time": min(row.time, now)}) for row in sample.rows if row.time > now - LATE]
            if rows := most_even(rows, self._allowance.take(len(rows), now)):
                self._unwritten.append((rows, sample.task, sample.unsure))
        while sum(len(rows) for rows, *_ in self._unwritten) > _MOST_WAITING:
            self._unwritten.popleft()

    def _write(self) -> None:
        while self._unwritten:
            rows, task, unsure = self._unwritten[0]
            self._log.add(rows, self._spec.digest, self._spec.version, task, unsure)
            self._unwritten.popleft()

    def _tidy(self) -> None:
        now = time.time()
        if not 0 <= now - self._tidied < _TIDY:
            before, self._tidied = self._tidied, now
            if not self._log.tidy(now, self._spec.keep):
                self._tidied = before

    def _measure(self, last: bool) -> None:
        """How good the version is, where anything has changed: rows, or labels that somebody has joined."""
        seen = self._log.changed_at() if self._measures else None
        if seen is None or seen == self._seen or (time.monotonic() < self._again and not last):
            return
        began = time.thread_time()
        if (told := self._folder.measure(self._spec, wait=False)) is None:
            return
        self._seen, self._again = seen, time.monotonic() + _REST * (time.thread_time() - began)
        after = worse_alarm(self._spec.name, told)
        if after != self.alarm:
            self._say(after.words if after is not None else "what it answers is as good as it was again")
        self.alarm = after

    def _complain(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self._say(words)
