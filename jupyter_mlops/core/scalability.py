"""How the speed of a map grows with its workers: the universal scalability law, fitted to what was measured. Pure.

Neil J. Gunther, "A General Theory of Computational Scalability Based on Rational Functions", arXiv:0808.1431 (2008),
equation 6; and "Guerrilla Capacity Planning" (Springer, 2007), chapters 4 to 6. With n workers the speed is

    X(n) = λ·n / (1 + σ·(n − 1) + κ·n·(n − 1))

λ: of one worker; σ: the part that waits for something that all share (contention); κ: what each pair of workers has to
agree on (coherency), which makes it fall again. Turned over it is linear in its parameters, n / X(n) = (1 − σ)/λ +
σ/λ·n + κ/λ·n·(n − 1), so that least squares without negative values are exact: of all subsets of the three terms, that
which fits best (Lawson and Hanson, "Solving Least Squares Problems", 1974, chapter 23, has the conditions; with three
terms all subsets can be tried).

The law has no limit that is met all at once, as that of a store is. So a second one stands beside it, min(λ·n, K). How
much each counts is told by Akaike's weights (Burnham and Anderson, "Model Selection and Multimodel Inference", 2002,
section 2.9): how well it fits, at how many parameters.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: A forecast goes no further than so many times the largest number of workers that was measured: nothing that was
#: measured tells of a knee beyond.
REACH = 2

#: Measurements without which nothing is said of more workers than were measured.
ENOUGH = 3

#: No measurement is taken to be nearer than this part of it: from one number of workers to the next more changes than
#: within one.
_LEAST_SPREAD = 0.03

#: What a parameter has to gain. Akaike's 2 is for many measurements; with three or four the simpler law is right more
#: often than that says, by the simulations of the tests.
_PARAMETER = 3.0

#: A law that counts less than this part of the best one is left out.
_LEAST_WEIGHT = 0.01

#: How often the measurements are drawn anew, within their spread, to learn how sure the forecast is; and the part of
#: the draws that lie below, and above, its band.
_DRAWS, _TAIL = 30, 0.1


@dataclass(frozen=True)
class Tried:
    """So many workers did `rate` items a second, with a standard error of `spread`, as a part of it."""

    workers: int
    rate: float
    spread: float = 0.0


@dataclass(frozen=True)
class Law:
    """Speed over workers. `alone`, `contention` and `coherency` are 1/λ, σ/λ and κ/λ of above, in seconds an item;
    `most` is items a second that it never passes."""

    alone: float
    contention: float = 0.0
    coherency: float = 0.0
    most: float = math.inf

    def rate(self, workers: float) -> float:
        """Items a second."""
        others = workers - 1
        seconds = self.alone + self.contention * others + self.coherency * workers * others
        return min(workers / seconds, self.most)


@dataclass(frozen=True)
class Mixture:
    """The laws that fit, each with its weight; the weights are one together."""

    laws: tuple[tuple[float, Law], ...]

    def rate(self, workers: int) -> float:
        """Items a second: the weighted mean of what the laws say, by factors."""
        return math.exp(sum(weight * math.log(law.rate(workers)) for weight, law in self.laws))


@dataclass(frozen=True)
class Fit:
    """What measurements say of other numbers of workers.

    `furthest` is the largest number of workers that anything is said of, `off` how far the best law is from the
    measurement that it fits worst, as a part of it.
    """

    here: Mixture
    drawn: tuple[Mixture, ...]
    furthest: int
    off: float

    def rate(self, workers: int) -> float:
        """Items a second with so many workers. Raises `ValueError` beyond `furthest`."""
        self._check(workers)
        return self.here.rate(workers)

    def band(self, workers: int) -> tuple[float, float]:
        """Between which rates it lies in four of five cases, as far as the measurements' own spread says. Raises as
        `rate`."""
        self._check(workers)
        rates = sorted(mixture.rate(workers) for mixture in self.drawn)
        out = round(_TAIL * (len(rates) - 1))
        rate = self.here.rate(workers)
        return min(rate, rates[out]), max(rate, rates[-1 - out])

    def _check(self, workers: int) -> None:
        if not 1 <= workers <= self.furthest:
            raise ValueError(f"nothing is known of {workers} workers: 1 to {self.furthest} are")


def fit(points: Sequence[Tried]) -> Fit | None:
    """What `points` say, each of another number of workers; None for fewer than two, and where one of them did nothing.

    The same points give the same fit: what is drawn is drawn from a seed.
    """
    if len({point.workers for point in points}) < 2 or any(point.rate <= 0 for point in points):
        return None
    points = sorted(points, key=lambda point: point.workers)
    here = _mixture(points)
    rates = random.Random(len(points))  # noqa: S311 - no secret
    drawn = []
    for _ in range(_DRAWS):
        moved = [
            Tried(point.workers, point.rate * math.exp(rates.gauss(0, _spread(point))), point.spread)
            for point in points
        ]
        drawn.append(_mixture(moved))
    reach = REACH if len(points) >= ENOUGH else 1
    off = max(abs(here.rate(point.workers) / point.rate - 1) for point in points)
    return Fit(here, tuple(drawn), reach * points[-1].workers, off)


def best_law(points: Sequence[Tried]) -> Law:
    """The universal scalability law that is nearest to `points`: none without negative parameters is nearer."""
    laws = [law for _, law in _universal(points, len(points))]
    return min(laws, key=lambda law: distance(law, points))


def distance(law: Law, points: Sequence[Tried]) -> float:
    """How far a law is from measurements: squares of how far their seconds an item are off, as parts of their
    spread."""
    total = 0.0
    for point in points:
        seconds = point.workers / point.rate
        total += ((point.workers / law.rate(point.workers) - seconds) / (seconds * _spread(point))) ** 2
    return total


def _spread(point: Tried) -> float:
    return max(_LEAST_SPREAD, point.spread)


def _mixture(points: Sequence[Tried]) -> Mixture:
    laws = [*_universal(points, max(2, len(points) - 1)), *_limited(points)]
    scores = [distance(law, points) + _PARAMETER * parameters for parameters, law in laws]
    weights = [math.exp((min(scores) - score) / 2) for score in scores]
    kept = [(weight, law) for weight, (_, law) in zip(weights, laws, strict=True) if weight > _LEAST_WEIGHT]
    total = sum(weight for weight, _ in kept)
    return Mixture(tuple((weight / total, law) for weight, law in kept))


def _universal(points: Sequence[Tried], most: int) -> Iterator[tuple[int, Law]]:
    """How many terms, and the best law with them: for each subset of at most `most` where none is negative."""
    columns = (
        [1.0 for _ in points],
        [float(point.workers) for point in points],
        [point.workers * (point.workers - 1.0) for point in points],
    )
    for terms in ((0,), (1,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
        found = _least_squares([columns[term] for term in terms], points) if len(terms) <= most else None
        if found is None or min(found) < 0:
            continue
        by_term = dict(zip(terms, found, strict=True))
        shared, alone = by_term.get(1, 0.0), by_term.get(0, 0.0) + by_term.get(1, 0.0)
        if alone > 0:
            yield len(terms), Law(alone, shared, by_term.get(2, 0.0))


def _limited(points: Sequence[Tried]) -> Iterator[tuple[int, Law]]:
    """Two parameters, and laws with a limit that is met all at once, after one of the measurements but the last, and
    seen in those that follow."""
    for before in range(1, len(points)):
        free, full = points[:before], points[before:]
        found = _least_squares([[1.0 for _ in free]], free)
        weights = [_spread(point) ** -2 for point in full]
        most = sum(weight * point.rate for weight, point in zip(weights, full, strict=True)) / sum(weights)
        if found is None or found[0] <= 0:
            continue
        below = (1 - _LEAST_SPREAD) * full[0].workers / found[0]  # else nothing was seen of it
        if free[-1].workers / found[0] <= most < below:
            yield 2, Law(alone=found[0], most=most)


def _least_squares(columns: Sequence[Sequence[float]], points: Sequence[Tried]) -> list[float] | None:
    """The factors of `columns` whose sum is nearest to the points' seconds an item; None where the columns depend on
    each other."""
    weights = [point.rate / (point.workers * _spread(point)) for point in points]
    rows = [[value * weight for value, weight in zip(column, weights, strict=True)] for column in columns]
    scales = [math.sqrt(sum(value * value for value in row)) for row in rows]
    if not all(scales):
        return None
    rows = [[value / scale for value in row] for row, scale in zip(rows, scales, strict=True)]
    aim = [1 / _spread(point) for point in points]
    system = [[_dot(row, other) for other in rows] + [_dot(row, aim)] for row in rows]
    solved = _solved(system)
    return None if solved is None else [value / scale for value, scale in zip(solved, scales, strict=True)]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _solved(system: list[list[float]]) -> list[float] | None:
    """The solution of at most three linear equations, each with its right side last; None where there is none."""
    size = len(system)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(system[row][column]))
        if abs(system[pivot][column]) < 1e-12:
            return None
        system[column], system[pivot] = system[pivot], system[column]
        head = system[column]
        for row in range(size):
            if row != column:
                factor = system[row][column] / head[column]
                system[row] = [a - factor * b for a, b in zip(system[row], head, strict=True)]
    return [row[-1] / row[position] for position, row in enumerate(system)]
