"""What data looked like when a version was made: counts per feature, to be compared with later data."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.model import Baseline, Bins
from .rows import PlainColumn, Rows, texts_of

#: Bins between quantiles of a numeric feature, and values that are counted of any other.
BINS, VALUES = 20, 50

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

    A number that has few values, as a yes or no has that is written as 1 or 0, has a bin for each. Else quantiles that
    are the same make one edge. The last bin has both its edges, which are the same where it is of one value.
    """
    missing = column.missing
    known = column.take(~missing)
    gaps = int(missing.sum())
    if not column.numeric:
        counted = Counter(texts_of(known)).most_common()
        common = counted[:VALUES]
        return Bins(
            name=name,
            values=[value for value, _ in common],
            counts=[count for _, count in common],
            other=sum(count for _, count in counted[VALUES:]),
            missing=gaps,
        )
    values = known.values.astype(float)
    finite = values[np.isfinite(values)]
    gaps += len(values) - len(finite)
    if not len(finite):
        return Bins(name=name, missing=gaps)
    edges = np.unique(finite)
    if len(edges) <= BINS:
        edges = np.append(edges, edges[-1])
    else:
        edges = np.unique(np.quantile(finite, np.linspace(0, 1, BINS + 1)))
    counts, _ = np.histogram(finite, edges)
    return Bins(name=name, edges=edges.tolist(), counts=counts.tolist(), missing=gaps)
