"""Workers, CPU and money over time: every 5 s for an hour, every minute before that, kept in `timeline.jsonl`."""

from __future__ import annotations

from bisect import bisect_right

from ..core.base import Seconds, Time
from ..core.cluster import Sample
from ..core.lines import read_lines
from ..home.clusters import TIMELINE
from .disk import Disk

#: Seconds between samples; between those older than `FINE`; and what a card's chart shows, in at most `POINTS` points.
INTERVAL: Seconds = 5.0
COARSE: Seconds = 60.0
FINE: Seconds = 3600.0
CARD: Seconds = 900.0
POINTS = 90


def thinned(samples: list[Sample], now: Time) -> list[Sample]:
    """`samples` with one a minute for what is older than an hour."""
    kept: list[Sample] = []
    for sample in samples:
        old = now - sample.time > FINE
        if old and kept and sample.time - kept[-1].time < COARSE:
            continue
        kept.append(sample)
    return kept


def card(samples: list[Sample], now: Time) -> list[Sample]:
    """The last 15 minutes in at most `POINTS` points, of each stretch the sample with the most busy workers, and the
    last one.

    The stretches are fixed in time, so that a point doesn't move when a new one comes.
    """
    width = CARD / (POINTS - 2)
    best: dict[int, Sample] = {}
    for sample in samples[-400:]:
        if sample.time <= now - CARD:
            continue
        slot = int(sample.time // width)
        if slot not in best or sample.busy >= best[slot].busy:
            best[slot] = sample
    points = list(best.values())
    if points and points[-1] is not samples[-1]:
        points.append(samples[-1])
    return points


class Timeline:
    """Takes samples as time goes by."""

    def __init__(self, disk: Disk, now: Time) -> None:
        self._disk = disk
        self._samples = thinned(read_lines(Sample, disk.read(TIMELINE)), now)
        self._thinned = now
        self._next = 0.0
        self.card: list[Sample] = card(self._samples, now)
        #: The card as it is sent.
        self.card_rows = [point.model_dump() for point in self.card]

    def due(self, now: Time) -> bool:
        """Whether it is time for a sample."""
        return now >= self._next or self._next - now > 2 * INTERVAL  # the clock went back

    def add(self, sample: Sample) -> None:
        """Take a sample in."""
        self._next = sample.time + INTERVAL
        self._samples.append(sample)
        self.card = card(self._samples, sample.time)
        self.card_rows = [point.model_dump() for point in self.card]
        if sample.time - self._thinned > FINE:
            self._thin(sample.time)
        else:
            self._disk.append(TIMELINE, sample.model_dump_json())

    def since(self, time: Time) -> list[Sample]:
        """The samples after `time`, oldest first."""
        return self._samples[bisect_right([sample.time for sample in self._samples], time) :]

    def _thin(self, now: Time) -> None:
        self._thinned = now
        self._samples = thinned(self._samples, now)
        self._disk.replace(TIMELINE, "".join(sample.model_dump_json() + "\n" for sample in self._samples))
