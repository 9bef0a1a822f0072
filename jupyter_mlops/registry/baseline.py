"""What data looked like when a version was made: counts per feature, to be compared with later data."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.drift import EXPECTED
from ..core.model import Baseline, Bins
from .rows import PlainColumn, Rows, sample_of, texts_of

#: Bins between quantiles of a numeric feature, and values that are counted of any other.
BINS, VALUES = 20, 50

#: One of so many rows is for choosing which values are counted, where some have to be chosen.
_CHOOSING = 4

#: Features that are looked at: more than that is no table that people know.
_MOST = 2000


def baseline_of(rows: Rows, rows_of: str, answers: NDArray[Any] | None = None) -> Baseline:
    """The counts of each feature, and of what the model answered.

    Parameters
    ----------
    rows_of : which rows these are: "train" or "valid".
    answers : the model's, if they are single numbers or labels.
    """
    features = [bins_of(name, column) for name, column in rows.features()[:_MOST]]
    answered = None if answers is None or answers.ndim != 1 else bins_of("answer", PlainColumn(answers))
    return Baseline(rows_of=rows_of, rows=len(rows), features=features, answers=answered)


def bins_of(name: str, column: PlainColumn) -> Bins:
    """The counts of one feature: in bins that each have a twentieth of the values, or of the commonest values.

    A number that has few values, as a yes or no has that is written as 1 or 0, has a bin for each. Else it has one for
    each value that is several quantiles. The last bin has both its edges, which are the same where it is of one value.
    """
    if not column.numeric:
        return _values_of(name, column)
    missing = column.missing
    values = column.values[~missing].astype(float)
    finite = values[np.isfinite(values)]
    gaps = int(missing.sum()) + len(values) - len(finite)
    if not len(finite):
        return Bins(name=name, missing=gaps)
    edges = np.unique(finite)
    if len(edges) <= BINS:
        edges = np.append(edges, edges[-1])
    else:
        quantiles = np.quantile(finite, np.linspace(0, 1, BINS + 1))
        several = quantiles[:-1][quantiles[:-1] == quantiles[1:]]
        edges = np.unique(np.concatenate([quantiles, np.nextafter(several, np.inf)]))
    counts, _ = np.histogram(finite, edges)
    return Bins(name=name, edges=edges.tolist(), counts=counts.tolist(), missing=gaps)


def _values_of(name: str, column: PlainColumn) -> Bins:
    """The counts of each value; of the commonest, if there are many or rare ones. Those are chosen by some of the rows,
    and counted in the others, since what is common by luck is less so in what the version is asked later."""
    missing = column.missing
    counted = Counter(texts_of(column.take(~missing)))
    chosen_by, apart = counted, len(counted) > VALUES or min(counted.values(), default=EXPECTED) < EXPECTED
    if apart:
        choosing = np.zeros(len(missing), bool)
        choosing[sample_of(len(missing), len(missing) // _CHOOSING, 1)] = True
        chosen_by = Counter(texts_of(column.take(choosing & ~missing)))
        counted = Counter(texts_of(column.take(~choosing & ~missing)))
        missing = missing & ~choosing
    values = [value for value, _ in chosen_by.most_common(VALUES)]
    counts = [counted[value] for value in values]
    other = sum(counted.values()) - sum(counts)
    return Bins(name=name, values=values, counts=counts, other=other, missing=int(missing.sum()), apart=apart)
