"""What a replica counts: each value once, in the bin that it has in the baseline, however the rows arrive."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.drift import drifts
from jupyter_mlops.core.model import Bins
from jupyter_mlops.core.window import FeatureCounts, Window
from jupyter_mlops.registry.baseline import baseline_of
from jupyter_mlops.registry.rows import NumberRows, PlainColumn, Rows
from jupyter_mlops.serving.counting import RowCounter

NAMES = ["number", "count", "flag", "text"]

#: A row: a number that may be missing, a count, a yes or no, a text that may be missing. Then the answer.
rows_of = st.lists(
    st.tuples(
        st.floats(-9, 9) | st.just(float("nan")),
        st.integers(0, 30),
        st.booleans(),
        st.sampled_from(["a", "b", "c", "ä" * 300, None]),
        st.sampled_from([0.0, 1.0, 2.5]),
    ),
    min_size=1,
    max_size=60,
)


def table(rows: list[Any]) -> tuple[Rows, np.ndarray[Any, Any]]:
    number, whole, flag, text, answers = zip(*rows, strict=True)
    gaps = np.array([each is None for each in text])
    columns = [
        PlainColumn(np.array(number)),
        PlainColumn(np.array(whole)),
        PlainColumn(np.array(flag)),
        PlainColumn(np.array(["" if each is None else each for each in text]), gaps if gaps.any() else None),
    ]
    return Rows(NAMES, columns), np.array(answers)


def plainly(bins: Bins, column: PlainColumn) -> FeatureCounts:
    """The same, value by value."""
    found = FeatureCounts(name=bins.name, counts=[0] * len(bins.counts))
    texts = bins.values
    for value, gap in zip(column.values.tolist(), column.missing.tolist(), strict=True):
        if gap:
            found.missing += 1
        elif not bins.edges:
            at = next(
                (at for at, text in enumerate(texts) if Bins(name="", values=[str(value)]).values[0] == text), None
            )
            if at is None:
                found.other += 1
            else:
                found.counts[at] += 1
        elif value < bins.edges[0]:
            found.below += 1
        elif value > bins.edges[-1]:
            found.above += 1
        else:
            inside = [low <= value < high for low, high in pairwise(bins.edges)]
            found.counts[inside.index(True) if True in inside else -1] += 1
    return found


@given(rows_of, rows_of, st.integers(0, 60))
def test_each_value_is_counted_once_in_its_bin_in_whatever_parts_it_comes(
    known: list[Any], asked: list[Any], cut: int
) -> None:
    rows, answers = table(known)
    baseline = baseline_of(rows, "train", answers)
    counter, other = RowCounter(baseline), RowCounter(baseline)
    for part in filter(None, (asked[:cut], asked[cut:])):
        counter.add(*table(part))
    other.add(*table(asked[:cut] or asked))
    first = other.take()
    if asked[:cut] and asked[cut:]:
        other.add(*table(asked[cut:]))
    taken = counter.take()
    assert taken == first.plus(other.take()) == taken.plus(Window()), "two replicas, and one"
    wanted, answered = table(asked)
    for bins, counts, (_, column) in zip(baseline.features, taken.features, wanted.features(), strict=True):
        assert counts == plainly(bins, column) and counts.rows == len(asked) == taken.rows
    assert taken.answers is not None and baseline.answers is not None
    plain = plainly(baseline.answers, PlainColumn(answered))
    assert taken.answers == plain.model_copy(update={"low": answered.min(), "high": answered.max()})
    assert counter.take().rows == 0


@given(rows_of)
def test_a_baseline_counts_its_own_rows_as_it_did(known: list[Any]) -> None:
    rows, answers = table(known)
    baseline = baseline_of(rows, "train", answers)
    counter = RowCounter(baseline)
    counter.add(rows, answers)
    for bins, counts in zip(baseline.features, counter.take().features, strict=True):
        assert bins.apart or (counts.counts, counts.missing, counts.other) == (bins.counts, bins.missing, bins.other)
        assert counts.below == counts.above == 0


def test_arrays_are_counted_by_column_and_much_is_not_kept() -> None:
    random = np.random.default_rng(1)
    baseline = baseline_of(Rows(None, [PlainColumn(random.normal(size=(500, 3)))]), "train")
    counter = RowCounter(baseline)
    for _ in range(600):
        counter.add(Rows(None, [PlainColumn(np.full((2, 3), [0.0, 99.0, np.nan]))]), np.array([["a", "b"]] * 2))
    taken = counter.take()
    assert taken.rows == 1200 and taken.answers is None
    assert [(each.name, each.above, each.missing) for each in taken.features] == [
        ("0", 0, 0),
        ("1", 1200, 0),
        ("2", 0, 1200),
    ]


def test_a_table_of_numbers_is_counted_as_its_columns_are() -> None:
    names, random = ["a", "b"], np.random.default_rng(2)
    known = random.normal(size=(500, 2))
    asked = np.where(random.random((700, 2)) < 0.1, np.nan, random.normal(size=(700, 2)))
    by_column, whole = (RowCounter(baseline_of(NumberRows(names, known, []), "train")) for _ in range(2))
    for row in np.split(asked, 700):
        by_column.add(Rows(names, [PlainColumn(values) for values in row.T]), np.zeros(1))
        whole.add(NumberRows(names, row, []), np.zeros(1))
    taken = whole.take()
    assert taken == by_column.take() and taken.rows == 700 and all(each.missing > 40 for each in taken.features)


def texts(*values: str) -> Rows:
    return Rows(["text"], [PlainColumn(np.array(values))])


def test_one_long_text_makes_no_others_as_long() -> None:
    counter = RowCounter(baseline_of(texts(*["a", "b"] * 9), "train"))
    requests = [texts(*["a"] * 19) for _ in range(250)] + [texts("a", "x" * 100_000)]
    tracemalloc.start()
    try:
        for rows in requests:
            counter.add(rows, np.zeros(len(rows)))
        (taken,) = counter.take().features
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()
    assert (taken.rows, taken.other) == (250 * 19 + 2, 1) and taken.counts[0] == 250 * 19 + 1


def test_long_texts_are_not_kept_beside_each_other() -> None:
    counter = RowCounter(baseline_of(texts(*["a", "b"] * 9), "train"))
    tracemalloc.start()
    try:
        for _ in range(200):
            counter.add(texts("a", *"xy" * 5, "x" * 100_000), np.zeros(12))
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()
    assert counter.take().features[0].rows == 200 * 12


def test_features_are_counted_however_long_their_names_are() -> None:
    """Also where what is kept of two names is the same."""
    long = "n" * 150
    names = [f"{long}{middle}{long}" for middle in "ab"]
    known = Rows(names, [PlainColumn(np.arange(10.0)), PlainColumn(np.arange(10.0) + 100)])
    baseline = baseline_of(known, "train")
    assert baseline.features[0].name == baseline.features[1].name != names[0]
    counter = RowCounter(baseline)
    counter.add(Rows(names, [PlainColumn(np.array([3.0, -1])), PlainColumn(np.array([200.0, 201]))]), np.zeros(2))
    first, second = counter.take().features
    assert (first.rows, first.below, first.above) == (2, 1, 0) and (second.rows, second.above) == (2, 2)
    known.columns[1] = PlainColumn(np.full(500, 200.0))
    known.columns[0] = PlainColumn(np.arange(500) % 10.0)
    counter.add(known, np.zeros(500))
    assert [each.state == "changed" for each in drifts(baseline, counter.take())] == [True, False]
