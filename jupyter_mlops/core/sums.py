"""Running sums of what is held over time, in constant time however many hold something."""

from __future__ import annotations

#: What one holder holds: a number of each of four things.
Vector = tuple[float, float, float, float]

NOTHING: Vector = (0.0, 0.0, 0.0, 0.0)


class Sums:
    """Sums over holders that come, hold a vector, and go.

    Who came at the time `at` has used `vector * (now - at)`. Summed over all who are there that is
    `held * now - came`, two vectors that change only when somebody comes or goes.
    """

    __slots__ = ("_came", "_done", "count", "ever", "held")

    def __init__(self) -> None:
        #: Holders now; whether there ever was one.
        self.count = 0
        self.ever = False
        self.held = self._came = self._done = NOTHING

    def take(self, vector: Vector, at: float) -> None:
        """Count a holder that holds `vector` since the time `at`."""
        self.ever = True
        self.count += 1
        self.held = plus(self.held, vector)
        self._came = plus(self._came, vector, at)

    def give(self, vector: Vector, at: float, now: float) -> None:
        """Count a holder out that came at the time `at` and held `vector` until `now`."""
        self._done = plus(self._done, vector, max(0.0, now - at))
        self._leave(vector, at)

    def withdraw(self, vector: Vector, at: float) -> None:
        """Take a holder out that came at the time `at`, with all that it used: it is counted elsewhere, from the
        beginning."""
        self._leave(vector, at)
        self.ever = self.count > 0 or self._done != NOTHING

    def _leave(self, vector: Vector, at: float) -> None:
        self.count -= 1
        if self.count:
            self.held = plus(self.held, vector, -1.0)
            self._came = plus(self._came, vector, -at)
        else:  # what floats left over must not go on growing
            self.held = self._came = NOTHING

    def add(self, vector: Vector, seconds: float = 1.0) -> None:
        """Add what a holder that is gone used: `vector` for so long."""
        self.ever |= seconds > 0
        self._done = plus(self._done, vector, seconds)

    def merge(self, other: Sums) -> None:
        """Take over all holders of `other`, with what they used."""
        self.ever |= other.ever
        self.count += other.count
        self.held, self._came = plus(self.held, other.held), plus(self._came, other._came)
        self._done = plus(self._done, other._done)

    def used(self, now: float) -> Vector:
        """What was used until `now`: each number times seconds."""
        if not self.count:
            return self._done
        return plus(plus(self._done, self.held, now), self._came, -1.0)


def plus(one: Vector, other: Vector, times: float = 1.0) -> Vector:
    """`one` and `times` the `other`."""
    return (
        one[0] + times * other[0],
        one[1] + times * other[1],
        one[2] + times * other[2],
        one[3] + times * other[3],
    )
