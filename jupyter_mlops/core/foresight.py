"""About how long it takes until a candidate is decided: an estimate that is said again and again, and doesn't jump.

What is estimated is how many requests it takes *in all*, which is the same from the first one to the last; what is left
is what that has more than there were. It is estimated as if all went on as until now, but for a difference between the
versions: of that as much is believed as was seen for sure. What was said before counts as long as there isn't much more
to go by, and is said again as long as it is about right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .base import Seconds
from .candidate import Comparison
from .sequence import ENOUGH, ArmSums, difference, least_that, plain, time_until
from .words import about

#: So many times more, or less, is still "about" what was said; and so many times more, or less, is said at most the
#: next time.
_ABOUT, _STEP = 1.25, 1.35

#: The estimate of all changes at most so many times from look to look; and what is left is at least such a part of what
#: there was, and so many requests.
_MOST, _LEAST, _FEW = 1.2, 0.05, 10.0

#: A difference is believed to be nearer to what matters than such a part of it by nobody: chance decides it before.
_NEAR = 1 / 3

#: Most seconds that are told: who needs longer than 10 years needs another way; and most requests.
_LONGEST, MANY = 10 * 365 * 86400.0, 1e12


def needing(told: Comparison, base: int, times: float) -> Comparison:
    """It takes so many times as many requests as there were."""
    told.needs = round(min(MANY, max(1.0, base * (times - 1))))
    return told


def growth(
    pairs: Sequence[tuple[ArmSums, ArmSums]], matters: float, alpha: float, *, sign: int = 1, binary: bool = False
) -> float | None:
    """How many times as much of the same it takes until a difference is decided; None where one arm has nothing.

    Parameters
    ----------
    pairs, alpha, binary : as of `difference`.
    matters : the difference that is harm, in the direction of `sign`.
    """
    if (seen := plain(pairs, binary=binary)) is None:
        return None
    doubted = (matters / 2) ** 2
    value = seen.value * doubted / (doubted + seen.unit / seen.time)
    gap = _gap(sign * value, matters)
    least = min(sum(pair[at].number for pair in pairs) for at in (0, 1))
    if not binary:
        return max(1.0, time_until(gap, max(seen.unit, 1e-12), alpha) / seen.time, ENOUGH / least)
    one, other = (_total([pair[at] for pair in pairs]) for at in (0, 1))
    share = min(1.0, max(0.0, one.total / one.number + value))
    return least_that(lambda times: _decides(one, other.number, share, times, gap, alpha, sign), 1e6, exact=0.02)


def _gap(value: float, matters: float) -> float:
    """How narrow an interval has to be: for harm, without 0; else without what matters."""
    if value < matters:
        return max(matters - value, _NEAR * matters)
    return min(value, _NEAR * matters + 2 * (value - matters))


def _decides(one: ArmSums, number: int, share: float, times: float, gap: float, alpha: float, sign: int) -> bool:
    """Whether so many times as many that are yes or no would decide it."""
    pair = _like(one.total / one.number, round(one.number * times)), _like(share, round(number * times))
    found = difference([pair], alpha, binary=True, halvings=14)
    return found is not None and (found.high - found.value if sign > 0 else found.value - found.low) <= gap


def _like(share: float, number: int) -> ArmSums:
    return ArmSums(number=number, total=share * number, squares=share * number)


def _total(arms: Sequence[ArmSums]) -> ArmSums:
    total = ArmSums()
    for arm in arms:
        total = total.plus(arm)
    return total


@dataclass
class _Expected:
    """What is expected of a comparison.

    Parameters
    ----------
    base : requests that there were when that was looked at last.
    total : that it takes in all.
    needs, seconds : as they were said last.
    """

    base: float
    total: float
    needs: float | None = None
    seconds: Seconds | None = None


class Foresight:
    """What is said of how long an experiment takes, look after look."""

    def __init__(self) -> None:
        self._known: dict[str, _Expected] = {}

    def say(self, each: Comparison, base: float, rate: float | None) -> None:
        """Have a comparison tell what is expected of it now, in place of what it takes by itself.

        Parameters
        ----------
        base : requests that it rests on.
        rate : requests in a second.
        """
        if each.needs is None:
            if (known := self._known.get(each.name)) is not None:  # it is decided, for now
                known.base, known.total = base, base
            return
        each.needs, each.seconds = self._told(each.name, base, each.needs, rate)
        if each.state == "no data":
            return
        each.words = f"undecided: needs about {each.needs:,} requests"
        if each.seconds is not None:
            each.words += f", {'' if each.seconds < 60 else 'about '}{about(each.seconds)}"

    def left(self, found: Sequence[Comparison], base: float, rate: float | None) -> tuple[int | None, Seconds | None]:
        """About how many requests, and seconds, until all of these are decided, which have told what is expected of
        them; None where that isn't known. What is decided one moment, and isn't quite the next, doesn't count for
        more than that."""
        open_ = [each for each in found if each.state in ("undecided", "no data") and each.waits]
        if not open_:
            return 0, 0.0
        if any(each.needs is None for each in open_):
            return None, None
        return self._told("", base, max(each.needs or 0 for each in open_), rate)

    def _told(self, name: str, base: float, needs: float, rate: float | None) -> tuple[int, Seconds | None]:
        known = self._followed(name, base, base + needs)
        left = min(MANY, max(known.total - base, _LEAST * base, _FEW))
        known.needs = _said(known.needs, left)
        if not rate or left / rate > _LONGEST:
            return _rounded(known.needs), None
        known.seconds = _said(known.seconds, left / rate)
        return _rounded(known.needs), known.seconds

    def _followed(self, name: str, base: float, total: float) -> _Expected:
        """The more there is to go by beyond what there was, the less counts what was expected before."""
        known = self._known.get(name)
        if known is None or base < known.base:  # another share: all is counted anew
            known = self._known[name] = _Expected(base, total)
        elif base > 0:
            counts = 1 - (known.base / base) ** 2
            moved = counts * math.log(total / known.total)
            known.total *= min(_MOST, max(1 / _MOST, math.exp(moved)))
            known.base = base
        return known


def _said(before: float | None, now: float) -> float:
    """What is said: as before, while that is about right."""
    if before is None or before <= 0:
        return now
    if before / _ABOUT <= now <= before * _ABOUT:
        return before
    return min(before * _STEP, max(before / _STEP, now))


def _rounded(number: float) -> int:
    digits: int = 10 ** max(0, math.floor(math.log10(max(1.0, number))) - 1)
    return max(1, round(number / digits) * digits)
