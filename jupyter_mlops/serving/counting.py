"""What a replica counts: what it was asked and what it answered, in the bins of its version's baseline.

Rows are kept until there are some, since to count many costs each of them a hundredth of what it costs one alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from ..core.base import LONGEST
from ..core.model import Baseline, Bins
from ..core.window import FeatureCounts, Window
from ..core.words import harmless
from ..registry.measure import Array
from ..registry.rows import NumberRows, PlainColumn, Rows, joined, texts_of

#: Requests, rows and bytes that are kept at most before they are counted; so many bytes are joined, too.
_REQUESTS, _ROWS, _BYTES = 256, 5000, 16 * 2**20

#: No number that anybody means is farther from 0.
_FAR = float(np.finfo(float).max) / 2


class RowCounter:
    """Counts rows and their answers, until these counts are taken.

    Parameters
    ----------
    baseline : the version's; features that it doesn't have are not counted.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._features = [_BinCounter(bins) for bins in baseline.features]
        # A baseline is a record, and its names have bounds: several may be the same then, in the order of the columns.
        self._by_name: dict[str, list[_BinCounter]] = defaultdict(list)
        for bins, counter in zip(baseline.features, self._features, strict=True):
            self._by_name[bins.name].append(counter)
        self._answer = _BinCounter(baseline.answers, extremes=True) if baseline.answers is not None else None
        self._kept: list[tuple[Rows, Array]] = []
        self._rows = self._waiting = self._bytes = 0

    def add(self, rows: Rows, answers: Array) -> None:
        """Count rows that were answered."""
        self._kept.append((rows, answers))
        self._waiting += len(rows)
        self._bytes += rows.nbytes + answers.nbytes
        if self._waiting >= _ROWS or len(self._kept) >= _REQUESTS or self._bytes >= _BYTES:
            self._count()

    def take(self) -> Window:
        """The counts since the last time. The window has neither version nor time."""
        self._count()
        taken = Window(
            rows=self._rows,
            features=[each.take() for each in self._features],
            answers=None if self._answer is None else self._answer.take(),
        )
        self._rows = 0
        return taken

    def _count(self) -> None:
        if not self._kept:
            return
        seen: Counter[str] = Counter()
        for name, parts in _features([rows for rows, _ in self._kept]):
            short = name if name in self._by_name else harmless(name, LONGEST)
            counters = self._by_name.get(short, [])
            if seen[short] < len(counters):
                counters[seen[short]].add(parts)
            seen[short] += 1
        answers = [answer for _, answer in self._kept]
        if self._answer is not None and all(answer.ndim == 1 for answer in answers):
            self._answer.add(_joined([PlainColumn(answer) for answer in answers]))
        self._rows += self._waiting
        self._kept, self._waiting, self._bytes = [], 0, 0


class AnswerCounter:
    """Counts answers in the bins of another version's, until these counts are taken.

    Parameters
    ----------
    bins : that they are counted by, named as the counts are to be; without edges and values it is only counted whether
        answers are there, and between which numbers.
    """

    def __init__(self, bins: Bins) -> None:
        self._bins = bins
        self._counter: _BinCounter | None = None
        self._kept: list[Array] = []

    def add(self, answer: Array) -> None:
        """Count the answer to a request."""
        self._kept.append(answer.ravel().copy())  # it may be a part of what many requests were answered together
        if len(self._kept) >= _REQUESTS or self._kept[-1].nbytes >= _BYTES // _REQUESTS:
            self._count()

    def take(self) -> FeatureCounts:
        """The counts since the last time."""
        self._count()
        return FeatureCounts(name=self._bins.name) if self._counter is None else self._counter.take()

    def _count(self) -> None:
        if not self._kept:
            return
        if self._counter is None:
            bins, number = self._bins, self._kept[0].dtype.kind in "iuf"
            if number and not bins.values and not bins.edges:
                bins = bins.model_copy(update={"edges": [-_FAR, _FAR], "counts": [0]})
            elif not number and bins.edges:
                bins = Bins(name=bins.name)
            self._counter = _BinCounter(bins, extremes=True)
        self._counter.add(_joined([PlainColumn(answer) for answer in self._kept]))
        self._kept = []


def cells_of(bins: Bins, answers: Array) -> list[list[int]]:
    """Where each of some answers is counted by bins: for each its `FeatureCounts.cells`, of which one is 1, or none."""
    counter, found = AnswerCounter(bins), dict[Any, list[int]]()
    for at, answer in enumerate(answers.tolist()):
        if answer not in found:  # which no NaN is
            counter.add(answers[at : at + 1])
            found[answer] = counter.take().cells
    nothing = [0] * (len(bins.counts) + 3)
    return [found.get(answer, nothing) for answer in answers.tolist()]


def _features(requests: Sequence[Rows]) -> Iterator[tuple[str, list[PlainColumn]]]:
    """Each feature's name, and its values in all requests."""
    if all(isinstance(rows, NumberRows) for rows in requests):
        requests = [joined(requests)]
    first = requests[0]
    for at, values in enumerate(zip(*(rows.columns for rows in requests), strict=True)):
        names = None if first.names is None else [first.names[at]]
        parts = [Rows(names, [part]).features() for part in _joined(values)]
        for columns in zip(*parts, strict=True):
            yield columns[0][0], [column for _, column in columns]


def _joined(parts: Sequence[PlainColumn]) -> list[PlainColumn]:
    """The same values in one part; but texts of which one is very long stay apart: in an array all are as wide."""
    width = max(part.values.itemsize for part in parts)
    if width * sum(part.values.size for part in parts) > _BYTES:
        return list(parts)
    gaps = None
    if any(part.gaps is not None for part in parts):
        gaps = np.concatenate([part.missing for part in parts])
    return [PlainColumn(np.concatenate([part.values for part in parts]), gaps)]


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

    def add(self, parts: Sequence[PlainColumn]) -> None:
        if self._edges is None:
            self._add_texts(parts)
            return
        for column in parts:
            if column.values.dtype.kind in "iuf":
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

    def _add_texts(self, parts: Sequence[PlainColumn]) -> None:
        known = []
        for column in parts:
            gaps = column.missing
            if missing := int(np.count_nonzero(gaps)):
                column = column.take(~gaps)
            self._missing += missing
            known.append(texts_of(column))
        for value, number in Counter(chain.from_iterable(known)).items():
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
