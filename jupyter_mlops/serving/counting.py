"""What a replica counts: what it was asked and what it answered, in the bins of its version's baseline.

Rows are kept until there are some, since to count many costs each of them a hundredth of what it costs one alone.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from ..core.base import LONGEST
from ..core.model import Baseline, Bins
from ..core.window import FeatureCounts, Window
from ..core.words import harmless
from ..registry.measure import Array
from ..registry.rows import PlainColumn, Rows, joined, texts_of

#: Requests and rows that are kept at most before they are counted.
_REQUESTS, _ROWS = 256, 5000


class RowCounter:
    """Counts rows and their answers, until these counts are taken.

    Parameters
    ----------
    baseline : the version's; features that it doesn't have are not counted.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._bins = {bins.name: _BinCounter(bins) for bins in baseline.features}
        self._answer = _BinCounter(baseline.answers, extremes=True) if baseline.answers is not None else None
        self._kept: list[tuple[Rows, Array]] = []
        self._rows = self._waiting = 0

    def add(self, rows: Rows, answers: Array) -> None:
        """Count rows that were answered."""
        self._kept.append((rows, answers))
        self._waiting += len(rows)
        if self._waiting >= _ROWS or len(self._kept) >= _REQUESTS:
            self._count()

    def take(self) -> Window:
        """The counts since the last time. The window has neither version nor time."""
        self._count()
        taken = Window(
            rows=self._rows,
            features=[each.take() for each in self._bins.values()],
            answers=None if self._answer is None else self._answer.take(),
        )
        self._rows = 0
        return taken

    def _count(self) -> None:
        if not self._kept:
            return
        for name, column in joined([rows for rows, _ in self._kept]).features():
            if (counter := self._bins.get(name)) is not None:
                counter.add(column)
        answers = [answer for _, answer in self._kept]
        if self._answer is not None and all(answer.ndim == 1 for answer in answers):
            self._answer.add(PlainColumn(np.concatenate(answers)))
        self._rows += self._waiting
        self._kept, self._waiting = [], 0


class _BinCounter:
    """Counts the values of one feature."""

    def __init__(self, bins: Bins, *, extremes: bool = False) -> None:
        self._name, self._extremes = bins.name, extremes
        self._edges: Array | None = None
        self._places = {value: at for at, value in enumerate(bins.values)}
        if bins.edges:
            self._edges = np.array(bins.edges, float)
            self._edges[-1] = np.nextafter(self._edges[-1], np.inf)  # the last bin has both its edges
        # Below or among none of the values, the bins, above.
        self._counts = np.zeros(len(bins.counts) + 2, np.int64)
        self._missing = 0
        self._low: float | None = None
        self._high: float | None = None

    def add(self, column: PlainColumn) -> None:
        if self._edges is None:
            self._add_texts(column)
        elif column.values.dtype.kind in "iuf":
            self._add_numbers(self._edges, column)

    def _add_numbers(self, edges: Array, column: PlainColumn) -> None:
        values = column.values.astype(float)
        missing = 0
        if column.values.dtype.kind == "f" or column.gaps is not None:
            gaps = column.missing | ~np.isfinite(values)  # as in a baseline
            if missing := int(np.count_nonzero(gaps)):
                values = values[~gaps]
        self._missing += missing
        if not len(values):
            return
        self._counts += np.bincount(np.searchsorted(edges, values, "right"), minlength=len(self._counts))
        if self._extremes:
            low, high = float(values.min()), float(values.max())
            self._low = low if self._low is None else min(self._low, low)
            self._high = high if self._high is None else max(self._high, high)

    def _add_texts(self, column: PlainColumn) -> None:
        gaps = column.missing
        if missing := int(np.count_nonzero(gaps)):
            column = column.take(~gaps)
        self._missing += missing
        for value, number in Counter(texts_of(column)).items():
            place = self._places.get(value)
            if place is None:  # a baseline is a record, and its texts have bounds
                place = self._places.get(harmless(value, LONGEST), -1)
            self._counts[place + 1] += number

    def take(self) -> FeatureCounts:
        counts = self._counts.tolist()
        ends = {"below": counts[0], "above": counts[-1]} if self._edges is not None else {"other": counts[0]}
        taken = FeatureCounts(
            name=self._name, counts=counts[1:-1], missing=self._missing, low=self._low, high=self._high, **ends
        )
        self._counts[:] = 0
        self._missing, self._low, self._high = 0, None, None
        return taken
