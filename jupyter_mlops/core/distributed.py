"""How a candidate's answers are distributed, beside the stable version's and beside what is expected of them.

They are others where they are so for sure, however often one looks, and so much that the two have little to do with
each other. A candidate that is expected to answer otherwise (`Expected`) has done no harm by that: its answers have to
be far from the stable version's *and* from those that held-out rows foretell. Whichever of these two it answers like,
that it is found far from both has the chance `alpha` at most: of that, one half is for chance in what was asked, the
other for chance in which rows were held out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from .candidate import Comparison
from .drift import chi_square
from .expected import Expected, Foretold, ends_of, summed
from .foresight import needing
from .sequence import ENOUGH, difference, yes
from .window import FeatureCounts

#: The population stability index of two distributions of answers that have little to do with each other any more.
APART = 0.5

#: Groups of bins that are compared.
_GROUPS = 5


@dataclass(frozen=True)
class _Distance:
    """How far answers are from others.

    Parameters
    ----------
    psi : the population stability index, over so many `groups`.
    sure : whether they are others for sure.
    """

    psi: float
    sure: bool
    groups: int

    @property
    def bound(self) -> float:
        """What chance makes of the index at most, for one row of each."""
        return chi_square(0.99, max(1, self.groups - 1))


def compared_answers(
    one: FeatureCounts, other: FeatureCounts, alpha: float, base: int, expected: Expected | None
) -> Comparison:
    """Whether the candidate's answers are distributed as those of the stable version, or as is expected. That they
    aren't quite is no harm by itself.

    Parameters
    ----------
    one, other : the stable version's answers, and the candidate's.
    base : requests that there were.
    """
    told, m, n = Comparison(name="answers"), one.known, other.known
    if not n or not m:
        told.words = "no answers yet"
        return told
    foretold = None if expected is None else expected.beside(one)
    if _constant(one, other, alpha, foretold):
        return Comparison(name="constant", state="worse", words=f"all {n:,} answers are the same")
    both = [each[: min(len(one.cells), len(other.cells))] for each in (one.cells, other.cells)]
    distance = _distance(both[0], m, both[1], n, alpha)
    nearest = distances = [distance]
    if expected is not None and foretold is not None:
        hoped, got = [m * share for share in foretold.shares], summed(other.cells, expected.ends)
        distances = [distance, _distance(hoped, m, got, n, alpha / 2, foretold.spread)]
        nearest = sorted(distances, key=lambda each: each.psi)
    least, noise = min(n, m), 1 / n + 1 / m
    told.stable, told.candidate, told.state = 0.0, distance.psi, "undecided"
    if all(each.sure and each.psi >= APART for each in distances):
        told.state, told.words = "worse", _others(distances)
    elif least >= ENOUGH and nearest[0].psi + nearest[0].bound * noise < APART:
        told.state, told.words = "same", f"PSI {distance.psi:.2f}" if nearest[0] is distance else _foretold(distances)
    else:
        apart = APART - max(0.0, nearest[0].psi - (nearest[0].groups - 1) * noise)  # so much of it is chance
        return needing(told, base, max(ENOUGH / least, nearest[0].bound * noise / max(apart, APART / 8)))
    return told


def is_foretold(told: Comparison) -> bool:
    """Whether answers are others, and were expected to be."""
    return told.state == "same" and (told.candidate or 0.0) >= APART


def _others(distances: Sequence[_Distance]) -> str:
    told = f"they are others: PSI {distances[0].psi:.2f}"
    return told + "".join(f", and {each.psi:.2f} from what its held-out rows said" for each in distances[1:])


def _foretold(distances: Sequence[_Distance]) -> str:
    return f"others, as its held-out rows said: PSI {distances[0].psi:.2f}, and {distances[1].psi:.2f} from that"


def _distance(
    one: Sequence[float],
    m: int,
    other: Sequence[float],
    n: int,
    alpha: float,
    spread: Callable[[Iterable[int]], float] = lambda cells: 0.0,
) -> _Distance:
    """How far `n` answers are from `m` others, by where they are.

    Parameters
    ----------
    spread : how uncertain the share of the latter in some cells is: a standard deviation.
    """
    ends = ends_of([a + b for a, b in zip(one, other, strict=True)], _GROUPS)
    pairs = list(zip(summed(one, ends), summed(other, ends), strict=True))
    part = alpha / len(pairs)
    sure = -NormalDist().inv_cdf(part / 2)
    spreads = [sure * spread(range(begin, end)) for begin, end in zip([0, *ends], ends, strict=False)]
    found = [_differ(a, m, b, n, part, spread) for (a, b), spread in zip(pairs, spreads, strict=True)]
    return _Distance(_stability(pairs, m, n), any(found), len(pairs))


def _differ(a: float, m: int, b: float, n: int, alpha: float, spread: float) -> bool:
    """Whether `a` of `m` and `b` of `n` are not the same share, by more than `spread`, for sure.

    An expected share is the mean of as many numbers between 0 and 1 as there are answers of the stable version, which
    vary no more than yes and no of that mean do.
    """
    found = difference([(yes(a, m), yes(b, n))], alpha, binary=True)
    return found is not None and (found.low > spread or found.high < -spread)


def _stability(pairs: Sequence[tuple[float, float]], m: int, n: int) -> float:
    """The population stability index."""
    total, half = 0.0, 0.5 * len(pairs)
    for a, b in pairs:
        q, p = (a + 0.5) / (m + half), (b + 0.5) / (n + half)
        total += (p - q) * math.log(p / q)
    return total


def _constant(one: FeatureCounts, other: FeatureCounts, alpha: float, foretold: Foretold | None) -> bool:
    """Whether the candidate gives one answer to so many rows as would not be, were it like the stable version, or as is
    expected."""
    most, after = max(one.cells), max(other.cells)
    if after < other.known or other.low != other.high or most == one.known:
        return False
    share = (most + 1) / (one.known + 2)
    if foretold is not None:
        share = max(share, foretold.single(NormalDist().inv_cdf(1 - alpha / 4)))
    return share < 1 and other.known * math.log(share) < math.log(alpha)
