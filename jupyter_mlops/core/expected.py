"""What is expected of a candidate's answers, where it answers otherwise on purpose.

A version that was trained anew because the one before had become bad gives other answers: that is what it was trained
for. Which ones is known from held-out rows that both have answered: of those to which the stable version gave an answer
of one group, so many got one of each group from the candidate. Applied to what the stable version answers now, that
says how the candidate's answers are to be distributed, as long as what the stable version takes for alike is as it was
there. Where no rows were held out, both are taken to agree.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Annotated

from .base import Amount, Record, first
from .window import FeatureCounts

#: Groups of cells by which held-out rows are counted, about.
GROUPS = 10

#: So many rows those that were held out have to be worth for what is asked now: what rests on fewer isn't known.
_KNOWN = 30

_Row = Annotated[list[Amount], first(2 * GROUPS + 1)]


class Expected(Record):
    """Held-out rows that both versions have answered. `rows` has a line for each group of the stable version's answers,
    and in it how many of these got an answer of each group from the candidate.

    Groups are neighbouring cells (`FeatureCounts.cells`) in the bins of the stable version's answers: `ends` says after
    which cell each ends. `most` is for each group how often the candidate gave the answer that it gave most often.
    """

    ends: _Row = []
    rows: Annotated[list[_Row], first(2 * GROUPS + 1)] = []
    most: _Row = []

    @classmethod
    def of(cls, stable: Sequence[int], candidate: Sequence[int], answers: Sequence[Hashable], cells: int) -> Expected:
        """That of the cells of both versions' answers to the same rows.

        Parameters
        ----------
        answers : the candidate's.
        cells : how many there are.
        """
        counts = Counter([*stable, *candidate])
        ends = ends_of([counts[cell] for cell in range(cells)], GROUPS, alone=True)
        group = [sum(end <= cell for end in ends) for cell in range(cells)]
        pairs = Counter((group[one], group[other]) for one, other in zip(stable, candidate, strict=True))
        often = Counter((group[cell], answer) for cell, answer in zip(candidate, answers, strict=True))
        every = range(len(ends))
        return cls(
            ends=ends,
            rows=[[pairs[one, other] for other in every] for one in every],
            most=[max((number for (to, _), number in often.items() if to == at), default=0) for at in every],
        )

    def beside(self, stable: FeatureCounts) -> Foretold | None:
        """What is expected beside such answers of the stable version; None where held-out rows don't tell."""
        size = len(self.ends)
        if not size or {len(self.rows), len(self.most), *map(len, self.rows)} != {size} or not stable.known:
            return None
        foretold = Foretold(self, [each / stable.known for each in summed(stable.cells, self.ends)])
        return foretold if foretold.worth >= _KNOWN else None


class Foretold:
    """How a candidate's answers are expected to be distributed.

    Parameters
    ----------
    asked : the shares of the stable version's answers, by group.
    """

    def __init__(self, expected: Expected, asked: Sequence[float]) -> None:
        # As if one row more of each group had been held out, in which both agree.
        rows = [[each + (at == to) for to, each in enumerate(line)] for at, line in enumerate(expected.rows)]
        self._asked, self._rows, self._expected = asked, [(line, sum(line)) for line in rows], expected
        #: Held-out rows by which as much would be known, were these distributed as what is asked now.
        self.worth = 1 / sum(share * share / known for share, (_, known) in zip(asked, self._rows, strict=True))
        #: By group.
        self.shares = [self.share([to]) for to in range(len(asked))]

    def share(self, groups: Iterable[int]) -> float:
        """The share of the candidate's answers that is expected in these groups."""
        chosen = list(groups)
        every = zip(self._asked, self._rows, strict=True)
        return sum(share * sum(line[to] for to in chosen) / known for share, (line, known) in every)

    def spread(self, groups: Iterable[int]) -> float:
        """How uncertain that share is, by how few rows were held out: a standard deviation."""
        chosen, total = list(groups), 0.0
        for share, (line, known) in zip(self._asked, self._rows, strict=True):
            part = (sum(line[to] for to in chosen) + 0.5) / (known + 1)
            total += share * share * part * (1 - part) / known
        return math.sqrt(total)

    def single(self, sure: float) -> float:
        """The share of the answer that is expected most often, at most; 1 where held-out rows got no other.

        Parameters
        ----------
        sure : so many standard deviations it may be more.
        """
        every = range(len(self.shares))
        got = [sum(line[to] for line in self._expected.rows) for to in every]
        most = self._expected.most
        if max(most) == sum(got):
            return 1.0
        parts = [min(1.0, (most[to] + 1) / (got[to] + 1)) for to in every]
        return min(1.0, max(parts[to] * (self.shares[to] + sure * self.spread([to])) for to in every))


def ends_of(weights: Sequence[float], parts: int, *, alone: bool = False) -> list[int]:
    """After which of the weights each group of neighbours ends, where there are about so many of much the same weight.

    Parameters
    ----------
    alone : whether what weighs as much as a group has is in none with others, so that they aren't taken for it.
    """
    least, ends, now = sum(weights) / parts, [0], 0.0
    for at, weight in enumerate(weights):
        if alone and weight >= least and at > ends[-1]:
            ends.append(at)
            now = 0.0
        now += weight
        if now > 0 and now >= least:
            ends.append(at + 1)
            now = 0.0
    if not alone and now == 0 and len(ends) > 1:
        ends.pop()  # nothing is left for another group
    return [*ends[1:], *[len(weights)] * (ends[-1] < len(weights))]


def summed(weights: Sequence[float], ends: Sequence[int]) -> list[float]:
    """The weight of each group; what comes after the last end is of the last one."""
    begins = [0, *ends[:-1]]
    return [sum(weights[begin:end]) for begin, end in zip(begins, [*ends[:-1], len(weights)], strict=True)]
