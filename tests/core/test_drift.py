"""What is told of windows: nothing of clean ones, however few or many rows they have, and what has changed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.drift import LARGE, FeatureDrift, binomial_tail, chi_square, drifts, enough
from jupyter_mlops.core.model import Baseline, Bins
from jupyter_mlops.core.window import FeatureCounts, Window

Random = np.random.Generator

#: What the features of the simulation are like: how many numbers, and the shares of the values of others.
NUMBERS = 16
ZIPF = 1 / np.arange(1, 2001) ** 1.5
OTHERS = [
    np.array(each, float)
    for each in (
        [1, 1],
        [9, 1],
        [997, 3],
        [1] * 12,
        [1] * 50,
        [1] * 168,
        [100, *[1] * 100],
        ZIPF[:30],
        ZIPF,
        1 / np.arange(1, 1001),
        np.random.default_rng(5).lognormal(0, 1, 400),
        [999, 1, 1],
    )
]


def number(random: Random, name: str, m: int, n: int) -> tuple[Bins, FeatureCounts]:
    """A number in twenty bins between quantiles: these are those of a sample of m, and so lie a little beside the true
    ones. What is outside has as much as there is beyond the least and greatest of m."""
    each = np.diff(np.linspace(0, m, 21).round()).astype(int)
    shares = random.dirichlet([1, *each, 1])
    counts = random.multinomial(n, shares).tolist()
    bins = Bins(name=name, edges=[float(at) for at in range(21)], counts=each.tolist())
    return bins, FeatureCounts(name=name, counts=counts[1:-1], below=counts[0], above=counts[-1])


def labels(
    random: Random, name: str, m: int, n: int, weights: np.ndarray, later: np.ndarray | None = None
) -> tuple[Bins, FeatureCounts]:
    """A feature with values of its own: as in a real baseline, the 50 commonest of some rows are counted in the others,
    unless there are few and none is rare."""
    later = weights if later is None else later
    before, after = random.multinomial(m, weights / weights.sum()), random.multinomial(n, later / later.sum())
    apart = bool(np.count_nonzero(before) > 50 or min(before[before > 0]) < 5)
    chosen_by = random.multivariate_hypergeometric(before, m // 4) if apart else before
    before = before - chosen_by if apart else before
    kept = [at for at in np.argsort(-chosen_by, kind="stable")[:50] if chosen_by[at]]
    bins = Bins(name=name, values=[str(at) for at in kept], counts=before[kept].tolist(), apart=apart)
    bins.other = int(before.sum()) - sum(bins.counts)
    return bins, FeatureCounts(name=name, counts=after[kept].tolist(), other=n - int(after[kept].sum()))


def clean(random: Random, m: int, n: int) -> tuple[Baseline, Window]:
    """A baseline of m rows, and a window of n like them."""
    pairs = [number(random, f"n{at}", m, n) for at in range(NUMBERS)]
    pairs += [labels(random, f"t{at}", m, n, weights) for at, weights in enumerate(OTHERS)]
    for bins, counts in pairs[:2]:
        bins.missing, counts.missing = int(random.binomial(m, 0.05)), int(random.binomial(n, 0.05))
    answers = pairs.pop()
    baseline = Baseline(rows=m, features=[bins for bins, _ in pairs], answers=answers[0])
    return baseline, Window(rows=n, features=[counts for _, counts in pairs], answers=answers[1])


@pytest.mark.parametrize("n", [50, 300, 3000, 100_000])
def test_clean_windows_alarm_in_five_of_a_hundred_at_most(n: int) -> None:
    """Of all features together, for small and large baselines."""
    random, times = np.random.default_rng(1), 25
    found = [[each.words for each in drifts(*clean(random, m, n)) if each.signs] for m in [300, 2000, 20_000] * times]
    assert sum(map(bool, found)) <= 0.05 * len(found), [words for words in found if words]


def shifted(random: Random, m: int, n: int, by: float) -> tuple[Baseline, Window]:
    """The same with one number that lies higher by so many standard deviations."""
    baseline, window = clean(random, m, n)
    sample = np.sort(random.normal(size=m))
    edges = np.quantile(sample, np.linspace(0, 1, 21))
    inner = np.concatenate([[-np.inf], edges, [np.inf]])
    before, _ = np.histogram(sample, edges)
    after, _ = np.histogram(random.normal(by, 1, n), inner)
    baseline.features[0] = Bins(name="n0", edges=edges.tolist(), counts=before.tolist())
    window.features[0] = FeatureCounts(
        name="n0", counts=after[1:-1].tolist(), below=int(after[0]), above=int(after[-1])
    )
    return baseline, window


@pytest.mark.parametrize(
    ("m", "n", "by", "found"),
    [
        (10_000, 1000, 0.4, 20),
        (10_000, 100_000, 0.3, 20),
        (10_000, 200, 1.0, 20),
        (300, 1000, 0.7, 20),
        (10_000, 100_000, 0.02, 0),
    ],
)
def test_a_shift_is_found_where_it_matters(m: int, n: int, by: float, found: int) -> None:
    random = np.random.default_rng(2)
    told = [one_of(drifts(*shifted(random, m, n, by)), "n0") for _ in range(20)]
    assert sum("shift" in each.signs for each in told) == found
    if found:
        assert all(each.state == "changed" and each.words.startswith("PSI ") for each in told)


@pytest.mark.parametrize(("weights", "value"), [(np.ones(5), 3), (1 / np.arange(1, 1001), 3), (ZIPF, 40), (ZIPF, 999)])
def test_a_value_that_becomes_common_is_found_among_many(weights: np.ndarray, value: int) -> None:
    """Whether it is one of those that are counted, or of the rest."""
    random, later = np.random.default_rng(2), weights.copy()
    later[value] += 0.2 * later.sum()
    for _ in range(20):
        bins, counts = labels(random, "t0", 3000, 2000, weights, later)
        (found,) = drifts(Baseline(features=[bins]), Window(rows=2000, features=[counts]))
        assert found.state == "changed", found


def one_of(found: list[FeatureDrift], name: str) -> FeatureDrift:
    return next(each for each in found if each.name == name)


def test_it_says_how_many_rows_it_needs_and_then_tells() -> None:
    random = np.random.default_rng(3)
    baseline, window = clean(random, 20_000, 50)
    needs = enough(baseline)
    early = one_of(drifts(baseline, window), "n3")
    assert (early.state, early.words) == ("unsure", f"cannot tell yet: needs {early.needs} rows")
    assert 100 < early.needs <= needs < 1000
    random = np.random.default_rng(3)
    later = drifts(*clean(random, 20_000, needs))
    assert {each.state for each in later} == {"same"} and all((each.noise or 0) <= LARGE for each in later)
    small = drifts(*clean(random, 40, 100_000))
    assert one_of(small, "n3").words == "cannot tell: the version's baseline has 40 rows only"
    assert enough(clean(random, 40, 50)[0], least=7) == 40, "no more than there are"


def numbers(**given: int) -> FeatureCounts:
    return FeatureCounts(name="x", counts=[50] * 20, **given)


NUMBER = Bins(name="x", edges=[float(at) for at in range(21)], counts=[50] * 20, missing=10)
FLAG = Bins(name="x", edges=[0.0, 1.0, 1.0], counts=[999, 1])
TEXT = Bins(name="x", values=["a", "b", "c"], counts=[600, 399, 1], apart=True)

#: As older releases made them: a yes or no in one bin, and text whose values were chosen by their own counts.
ONE_BIN = Bins(name="x", edges=[0.0, 1.0], counts=[1000])
LUCKY = Bins(name="x", values=["a", "b"], counts=[600, 399], other=1)
OLD = "cannot tell: an older release made the version's baseline; save it again"


@pytest.mark.parametrize(
    ("bins", "counts", "signs", "words"),
    [
        (NUMBER, numbers(missing=12), [], ""),
        (NUMBER, numbers(missing=250), ["missing"], "20 % are missing (before 1 %)"),
        (NUMBER, numbers(above=5), [], ""),
        (NUMBER, numbers(above=40), ["outside"], "4 % are out of the range that was known (before 0 %)"),
        (FLAG, FeatureCounts(name="x", counts=[480, 20]), ["shift"], "a value that was rare is common"),
        (FLAG, FeatureCounts(name="x", counts=[495, 5]), [], ""),
        (TEXT, FeatureCounts(name="x", counts=[590, 400, 0], other=10), [], ""),
        (TEXT, FeatureCounts(name="x", counts=[550, 390, 0], other=60), ["outside"], "6 % are values that"),
        (TEXT, FeatureCounts(name="x", counts=[400, 600, 0]), ["shift"], "PSI 0.16 (by chance 0.0"),
        (TEXT, FeatureCounts(name="x", missing=500), ["missing"], "100 % are missing (before 0 %)"),
        (ONE_BIN, FeatureCounts(name="x", counts=[900], above=100), ["outside"], "10 % are out of the range"),
        (LUCKY, FeatureCounts(name="x", counts=[1, 1], missing=998), ["missing"], "100 % are missing"),
    ],
)
def test_signs_and_their_words(bins: Bins, counts: FeatureCounts, signs: list[str], words: str) -> None:
    found = drifts(Baseline(features=[bins]), Window(rows=counts.rows, features=[counts]))
    assert len(found) == 1 and found[0].signs == signs and words in found[0].words, found[0]
    assert found[0].words if signs else not found[0].words


@pytest.mark.parametrize(
    ("bins", "counts"),
    [(ONE_BIN, FeatureCounts(name="x", counts=[1000])), (LUCKY, FeatureCounts(name="x", counts=[0, 10], other=990))],
)
def test_of_a_baseline_that_tells_nothing_it_says_so(bins: Bins, counts: FeatureCounts) -> None:
    (found,) = drifts(Baseline(features=[bins]), Window(rows=1000, features=[counts]))
    assert (found.state, found.words, found.needs) == ("unsure", OLD, 0)
    assert enough(Baseline(features=[bins, NUMBER])) == enough(Baseline(features=[NUMBER, NUMBER])), (
        "nothing to wait for"
    )


@pytest.mark.parametrize(
    ("bins", "counts", "constant"),
    [
        (NUMBER, FeatureCounts(name="x", counts=[0, 9], low=1.5, high=1.5), True),
        (NUMBER, FeatureCounts(name="x", counts=[0, 9], low=1.2, high=1.5), False),
        (FLAG, FeatureCounts(name="x", counts=[900, 0], low=0, high=0), False),
        (TEXT, FeatureCounts(name="x", counts=[30, 0, 0]), True),
        (TEXT, FeatureCounts(name="x", counts=[5, 0, 0]), False),
    ],
)
def test_answers_that_are_all_the_same(bins: Bins, counts: FeatureCounts, constant: bool) -> None:
    (found,) = drifts(Baseline(answers=bins), Window(rows=counts.rows, answers=counts))
    assert ("constant" in found.signs) == constant and found.answers, found
    assert not constant or found.words.startswith(f"all {counts.rows} are the same")


def test_the_distributions_are_those_of_the_books() -> None:
    for freedom, quantile, exact in [(9, 0.999, 27.877), (9, 0.95, 16.919), (1, 0.99, 6.635), (19, 0.9999, 50.795)]:
        assert chi_square(quantile, freedom) == pytest.approx(exact, rel=0.03)
    assert binomial_tail(3, 10, 0.5) == 1.0 and binomial_tail(100_000, 100_001, 0.5) < 1e-300
    assert binomial_tail(2000, 100_000, 0.01) < 1e-100 and binomial_tail(10**9, 10**9 + 3, 0.01) == 0.0


@pytest.mark.parametrize("number", [3, 10, 50, 400])
@pytest.mark.parametrize("chance", [0.001, 0.05, 0.5, 0.95])
def test_the_tail_is_that_of_the_binomial_distribution(number: int, chance: float) -> None:
    for least in range(math.floor(number * chance) + 1, number + 1):
        exact = sum(
            math.comb(number, at) * chance**at * (1 - chance) ** (number - at) for at in range(least, number + 1)
        )
        assert binomial_tail(least, number, chance) == pytest.approx(exact, rel=0.1, abs=1e-60)


amounts = st.integers(0, 10**6)
counted = st.builds(
    FeatureCounts,
    name=st.just("x"),
    counts=st.lists(amounts, min_size=3, max_size=3),
    below=amounts,
    above=amounts,
    other=amounts,
    missing=amounts,
    low=st.none() | st.floats(-10, 10),
    high=st.none() | st.floats(-10, 10),
)
windows = st.builds(
    Window,
    since=st.floats(0, 10),
    until=st.floats(10, 20),
    rows=amounts,
    features=st.just([]) | st.lists(counted, min_size=2, max_size=2),
    answers=st.none() | counted,
)


@given(windows, windows, windows)
def test_windows_are_added_in_any_order(a: Window, b: Window, c: Window) -> None:
    assert a.plus(b) == b.plus(a) and a.plus(b).plus(c) == a.plus(b.plus(c))
    assert a.plus(Window(since=a.since, until=a.until)) == a


@given(st.lists(st.sampled_from([NUMBER, FLAG, TEXT, ONE_BIN, LUCKY]), max_size=3), counted, amounts)
def test_any_counts_are_compared(features: list[Bins], counts: FeatureCounts, rows: int) -> None:
    """Those of a damaged file, too: nothing is raised, and what is told can be written as JSON."""
    baseline = Baseline(features=features, answers=features[0] if features else None)
    for each in drifts(baseline, Window(rows=rows, features=[counts], answers=counts)):
        assert all(math.isfinite(value) for value in (each.psi or 0, each.noise or 0, each.missing, each.outside))
