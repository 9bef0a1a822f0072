"""What a router counts, for Prometheus and for people."""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ..core.base import Seconds
from .minutes import MinuteCounts
from .usage import CallerCounts

#: Seconds that the rate is of.
_SPAN = 10

#: Bounds of the answers' times, in seconds.
_TIMES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

#: As Prometheus calls what it reads.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Lately:
    """How many there were in a second, lately."""

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque(maxlen=_SPAN + 1)

    def add(self) -> None:
        """One more, now."""
        now = int(time.monotonic())
        if self._seconds and self._seconds[-1][0] == now:
            self._seconds[-1][1] += 1
        else:
            self._seconds.append([now, 1])

    @property
    def rate(self) -> float:
        """In a second."""
        since = int(time.monotonic()) - _SPAN
        return sum(count for second, count in self._seconds if second >= since) / _SPAN


class TrafficCounts:
    """Requests, rows and times of one service.

    Parameters
    ----------
    service : its name.
    usage : counts what each caller was answered.
    minutes : counts what was answered in each minute.
    """

    def __init__(self, service: str, usage: CallerCounts, minutes: MinuteCounts) -> None:
        self._usage, self._minutes = usage, minutes
        self._registry = CollectorRegistry()
        self._service = service
        labels = ["service", "version"]
        self._requests = Counter("mlops_requests", "Requests.", [*labels, "code", "caller"], registry=self._registry)
        self._rows = Counter("mlops_rows", "Rows that were answered.", labels, registry=self._registry)
        self._times = Histogram(
            "mlops_request_seconds", "Seconds to an answer.", labels, buckets=_TIMES, registry=self._registry
        )
        self._replicas = Gauge("mlops_replicas_ready", "Replicas that answer.", labels, registry=self._registry)
        self._open = Gauge("mlops_connections", "Open connections.", ["service"], registry=self._registry)
        # To find a metric by its labels takes longer than to count.
        self._requests_of = functools.lru_cache(maxsize=1024)(self._counter_of)
        self._answered_by = functools.lru_cache(maxsize=16)(self._counters_of)
        self.requests = self.errors = 0
        self._lately = Lately()

    def count(self, version: int, code: int, caller: str, took: Seconds, rows: int = 0) -> None:
        """A request for predictions was answered with an HTTP status.

        Parameters
        ----------
        caller : whose token it came with; empty for nobody's.
        """
        self._requests_of(version, code, caller).inc()
        if code == 200:
            counter, times = self._answered_by(version)
            counter.inc(rows)
            times.observe(took)
        self.requests += 1
        self.errors += code >= 500
        self._usage.add(caller, version if code == 200 else 0, rows if code == 200 else 0, failed=code >= 500)
        self._minutes.add(version, took, answered=code == 200, failed=code >= 500)
        self._lately.add()

    def _counter_of(self, version: int, code: int, caller: str) -> Counter:
        return self._requests.labels(self._service, version, code, caller)

    def _counters_of(self, version: int) -> tuple[Counter, Histogram]:
        return self._rows.labels(self._service, version), self._times.labels(self._service, version)

    @property
    def rate(self) -> float:
        """Requests in a second, lately."""
        return self._lately.rate

    def text(self, ready: Mapping[int, int], connections: int) -> bytes:
        """All counts, as Prometheus reads them.

        Parameters
        ----------
        ready : how many replicas of each version answer.
        """
        self._replicas.clear()
        for version, number in ready.items():
            self._replicas.labels(self._service, version).set(number)
        self._open.labels(self._service).set(connections)
        return generate_latest(self._registry)
