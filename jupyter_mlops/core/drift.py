"""Drift: whether what a service is asked, and answers, still looks like what its version was made with.

Counts of a window are compared with those of the baseline. Any two samples differ, the more so the fewer rows they
have: what is told is what exceeds that.

*Shift*: the population stability index, PSI = Σ (p - q) ln(p / q) over bins of which a window has the shares p and the
baseline q. Where nothing has changed it is distributed like (1/n + 1/m) χ² with as many degrees of freedom as there are
bins, less one, for n rows of the window and m of the baseline: B. Yurdakul, "Statistical Properties of Population
Stability Index", Western Michigan University, 2018. A shift is one that exceeds that distribution's quantile, the
*noise*, and what would matter to nobody besides. The usual bounds of 0.1 and 0.2 know no n: they alarm in most clean
windows of 50 rows, and in none of 100,000 that has changed a little. χ² has its quantiles after E. B. Wilson and
M. M. Hilferty, "The Distribution of Chi-square", PNAS 17, 1931.

*Missing* values, those that were too rare for this, and those *outside* of what the baseline had: their number in the
window, against that in the baseline, by the exact conditional test of two counts: J. Przyborowski and H. Wilenski,
"Homogeneity of Results in Testing Samples from Poisson Series", Biometrika 31, 1940. Its tail is after R. Lugannani and
S. Rice, "Saddle Point Approximation for the Distribution of the Sum of Independent Random Variables", Advances in
Applied Probability 12, 1980, which takes as long for a million rows as for ten. Of the values outside some are
expected: a sample's least and greatest are exceeded by one of n more with the chance of n / (n + m), and what it never
had might as well have been there once.

What is compared must not have been chosen by its own counts: what was common by luck is less so in any other rows. So
values are put together by their names, and where there are many or rare ones, the baseline has chosen those that it
counts by other rows (`Bins.apart`).

*Constant*: the answers to so many rows are one and the same as would not be, were they like the baseline's.

All tests of a window together find something in a clean one with the chance ALPHA at most: each has its share of that
(Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Annotated, Literal

from .base import Label, Record, Saying, first, otherwise
from .model import Baseline, Bins
from .window import FeatureCounts, Window
from .words import count, listed, percent

#: The chance that anything at all is found in a clean window.
ALPHA = 0.01

#: A PSI, and a change of a share, that would matter to nobody; and a PSI that one wants to be sure to see.
SMALL, SMALL_SHARE, LARGE = 0.02, 0.01, 0.2

#: Bins that are compared, of those that are counted: fewer have less noise.
_BINS = 10

#: Rows that each has at least to be expected to have, for its distribution to be the one above.
EXPECTED = 5

#: Tests that a feature has.
_TESTS = 4

#: `worse` is of the metric on labelled rows.
Sign = Annotated[Literal["shift", "missing", "outside", "constant", "worse"], otherwise("shift")]

#: How a feature is: as it was, not so, or not to be told yet.
DriftState = Annotated[Literal["same", "changed", "unsure"], otherwise("unsure")]


class FeatureDrift(Record):
    """How a feature, or the answers, compare with the baseline.

    `psi` is the effect, and `noise` what it is at most where nothing has changed; both are None where there is nothing
    to compare. `needs` are the rows that a window has to have before it would show a large change. The shares are of
    all values, now and in the baseline.
    """

    name: Label
    #: Whether these are the version's answers.
    answers: bool = False
    state: DriftState = "unsure"
    signs: Annotated[list[Sign], first(10)] = []
    rows: int = 0
    psi: float | None = None
    noise: float | None = None
    needs: int = 0
    missing: float = 0.0
    missing_before: float = 0.0
    outside: float = 0.0
    outside_before: float = 0.0
    #: What there is to say, in words.
    words: Saying = ""


def drifts(baseline: Baseline, window: Window) -> list[FeatureDrift]:
    """How each feature of a window, and last its answers, compare with the baseline; what has changed most first."""
    # By their places: names that are too long may have become the same.
    both = zip(baseline.features, window.features, strict=False)
    pairs = [(bins, now, False) for bins, now in both if bins.name == now.name]
    if baseline.answers is not None and window.answers is not None:
        pairs.append((baseline.answers, window.answers, True))
    chance = ALPHA / (_TESTS * max(1, len(pairs)))
    found = [_compared(bins, now, answers, chance) for bins, now, answers in pairs]
    return sorted(found, key=lambda each: (each.state != "changed", -(each.psi or 0.0), each.name))


def enough(baseline: Baseline, least: int = 0) -> int:
    """Rows after which a window tells of each feature whether it has changed much; of those whose baseline is too small
    for that, as many as the baseline has, and `least` at least."""
    number = len(baseline.features) + (baseline.answers is not None)
    chance = ALPHA / (_TESTS * max(1, number))
    seeing = [bins for bins in baseline.features if not _blind(bins)]
    needed = [_needed(bins, chance) or sum(bins.counts) + bins.other for bins in seeing]
    return max([least, *needed])


def _compared(bins: Bins, now: FeatureCounts, answers: bool, chance: float) -> FeatureDrift:
    before = sum(bins.counts) + bins.other
    blind = _blind(bins)
    psi, noise, commoner = (None, None, False) if blind else _shift(bins, now, chance)
    outside, outside_before = (now.below + now.above, 0) if bins.edges else (now.other, bins.other)
    signs: list[Sign] = []
    if commoner or (psi is not None and noise is not None and psi > max(SMALL, noise)):
        signs.append("shift")
    if _more(now.missing, now.rows, bins.missing, bins.missing + 1, before + bins.missing, chance):
        signs.append("missing")
    knows = bins.edges or not blind
    if knows and _more(outside, now.known, outside_before, outside_before + 1, before, chance):
        signs.append("outside")
    if answers and _constant(bins, now, chance):
        signs.append("constant")
    told = FeatureDrift(
        name=now.name,
        answers=answers,
        rows=now.rows,
        signs=signs,
        psi=psi,
        noise=noise,
        needs=0 if blind else _needed(bins, chance),
        missing=_share(now.missing, now.rows),
        missing_before=_share(bins.missing, before + bins.missing),
        outside=_share(outside, now.known),
        outside_before=_share(outside_before, before),
    )
    tells = noise is not None and noise <= LARGE
    told.state = "changed" if signs else "same" if tells else "unsure"
    told.words = _words(told, before, bool(bins.edges), blind)
    return told


# The tests.


def _blind(bins: Bins) -> bool:
    """Whether an older release counted these in a way that tells nothing: a number of few values in one bin, or many
    values, or rare ones, in the very rows in which they were found."""
    if bins.edges:
        return len(bins.counts) == 1 and bins.edges[0] < bins.edges[-1]
    return not bins.apart and (bins.other > 0 or min(bins.counts, default=EXPECTED) < EXPECTED)


def _shift(bins: Bins, now: FeatureCounts, chance: float) -> tuple[float | None, float | None, bool]:
    """PSI, its noise, and whether a rare value has become commoner; None where there is nothing to compare, or too
    little."""
    pairs = _pairs(bins, now)
    m, n = sum(was for was, _ in pairs), sum(is_now for _, is_now in pairs)
    if not m or not n:
        return None, None, False
    groups, rare = _pooled(pairs), _rarest(pairs, bins)
    commoner = _more(rare[1], n, rare[0], rare[0] + 1, m, chance)
    if len(groups) < 2:
        return 0.0, 0.0 if n >= _needed(bins, chance) > 0 or sum(was > 0 for was, _ in pairs) < 2 else None, commoner
    k = len(groups)
    psi = 0.0
    for was, is_now in groups:
        q, p = (was + 0.5) / (m + 0.5 * k), (is_now + 0.5) / (n + 0.5 * k)  # none is no infinity
        psi += (p - q) * math.log(p / q)
    return psi, chi_square(1 - chance, k - 1) * (1 / n + 1 / m), commoner


def _pairs(bins: Bins, now: FeatureCounts) -> list[tuple[int, int]]:
    """The counts of the baseline and of the window, bin by bin, in an order that has nothing to do with them; numbers
    outside are in the bins at the ends."""
    after = [*now.counts[: len(bins.counts)], *[0] * (len(bins.counts) - len(now.counts))]
    pairs = list(zip(bins.counts, after, strict=True))
    if not bins.edges:
        if bins.apart:
            return [(bins.other, now.other), *pairs]
        return [pair for _, pair in sorted(zip(bins.values, pairs, strict=False))]
    if pairs:
        pairs[0] = pairs[0][0], pairs[0][1] + now.below
        pairs[-1] = pairs[-1][0], pairs[-1][1] + now.above
    return pairs


def _pooled(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbours together, so that each has about a tenth of the baseline's values, and enough for the test."""
    m, least = sum(was for was, _ in pairs), _least(pairs)
    groups: list[tuple[int, int]] = []
    was = is_now = 0
    for one, other in pairs:
        was, is_now = was + one, is_now + other
        if was >= max(0.999 * m / _BINS, least):
            groups.append((was, is_now))
            was = is_now = 0
    if was < least and groups:
        last = groups.pop()
        was, is_now = last[0] + was, last[1] + is_now
    return [*groups, (was, is_now)]


def _rarest(pairs: Sequence[tuple[int, int]], bins: Bins) -> tuple[int, int]:
    """The rarest bins together, which are too rare for a group of their own."""
    was = is_now = 0
    least, rarest_first = _least(pairs), [*reversed(pairs)] if bins.apart else sorted(pairs)
    for one, other in rarest_first:
        if was + one >= least:
            break
        was, is_now = was + one, is_now + other
    return was, is_now


def _least(pairs: Sequence[tuple[int, int]]) -> float:
    """What a group has to have in the baseline, so that enough of it is expected in both."""
    m, n = sum(was for was, _ in pairs), sum(is_now for _, is_now in pairs)
    return max(float(EXPECTED), EXPECTED * m / n if n else 0.0)


def _needed(bins: Bins, chance: float) -> int:
    """Rows of a window whose noise is so small that a large change shows; 0 where the baseline is too small for it."""
    pairs = _pairs(bins, FeatureCounts(name=bins.name))
    m = sum(was for was, _ in pairs)
    if not m:
        return 0
    groups = _pooled(pairs)
    bound = chi_square(1 - chance, max(1, len(groups) - 1))
    left = LARGE / bound - 1 / m
    return math.ceil(1 / left) if left > 0 else 0


def _more(now: int, n: int, was: int, expected: int, m: int, chance: float) -> bool:
    """Whether `now` of n are more than `was` of m, by more than chance and by what matters. `expected` is what stands
    for `was` in the test."""
    if not n or not m or now / n - was / m < SMALL_SHARE:
        return False
    return binomial_tail(now, now + expected, n / (n + m)) < chance


def _constant(bins: Bins, now: FeatureCounts, chance: float) -> bool:
    """Whether all answers are one, though they were several, and so many that it is no chance."""
    known, before = now.known, sum(bins.counts) + bins.other
    one = now.low == now.high if bins.edges else max(now.counts, default=0) == known
    most = max([*bins.counts, bins.other], default=0)
    if not known or not one or not before or most == before:
        return False
    return known * math.log(most / before) < math.log(chance)


def chi_square(quantile: float, freedom: int) -> float:
    """A quantile of χ², after Wilson and Hilferty."""
    part = 2 / (9 * freedom)
    return float(freedom * (1 - part + NormalDist().inv_cdf(quantile) * math.sqrt(part)) ** 3)


def binomial_tail(least: int, number: int, chance: float) -> float:
    """The chance of `least` or more of so many, each of that chance, within a tenth of itself; 1 where it is more than
    about a half. After Lugannani and Rice."""
    if least <= number * chance:
        return 1.0
    if chance <= 0 or chance >= 1:
        return float(chance >= 1)
    if least == number:
        return math.exp(number * math.log(chance))
    share = least / number
    slope = math.log(share / chance) + math.log((1 - chance) / (1 - share))
    far = number * (share * math.log(share / chance) + (1 - share) * math.log((1 - share) / (1 - chance)))
    if far < 1e-4:  # the two terms below take each other's digits
        return 0.5
    root = math.sqrt(2 * far)
    step = -math.expm1(-slope) * math.sqrt(number * share * (1 - share))
    density = math.exp(-far) / math.sqrt(2 * math.pi)
    return min(1.0, math.erfc(root / math.sqrt(2)) / 2 + density * (1 / step - 1 / root))


# The words.


def _words(told: FeatureDrift, before: int, ordered: bool, blind: bool) -> str:
    """ "PSI 0.31 (by chance 0.05 at most) and 12 % are missing (before 0 %)"."""
    parts = []
    if "constant" in told.signs:
        parts.append(f"all {told.rows:,} are the same")
    if "shift" in told.signs and told.psi is not None and told.noise is not None and told.psi > told.noise:
        parts.append(f"PSI {told.psi:.2f} (by chance {told.noise:.2f} at most)")
    elif "shift" in told.signs:
        parts.append("a value that was rare is common")
    if "missing" in told.signs:
        parts.append(f"{percent(told.missing)} are missing (before {percent(told.missing_before)})")
    if "outside" in told.signs:
        what = "are out of the range that was known" if ordered else "are values that were rare or unknown"
        parts.append(f"{percent(told.outside)} {what} (before {percent(told.outside_before)})")
    if parts:
        return listed(parts)
    if told.state == "same":
        return ""
    if not before:
        return "the version's baseline has no value of it"
    if blind:
        return "cannot tell: an older release made the version's baseline; save it again"
    if told.needs:
        return f"cannot tell yet: needs {count(told.needs, 'row')}"
    return f"cannot tell: the version's baseline has {count(before, 'row')} only"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
