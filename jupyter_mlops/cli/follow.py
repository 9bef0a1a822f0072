"""Finds the new lines of a log of which only the end can be asked for, again and again."""

from __future__ import annotations

from collections.abc import Sequence

#: Lines by which the place is found again in a log whose beginning was cut.
_MARK = 20


class Follower:
    """Gives each line of a log once, from looks at its end. A line that is half written is held back."""

    def __init__(self) -> None:
        self._shown: list[str] = []
        self._held: str | None = None

    def new(self, lines: Sequence[str], over: bool, most: int | None = None) -> list[str]:
        """What to show after one more look.

        Parameters
        ----------
        lines : the end of the log, with more lines than come between two looks.
        over : nothing will be written any more.
        most : show no more than so many; None shows all that are new.
        """
        fresh = list(lines[_reached(self._shown, lines) :])
        if fresh and not over and fresh != [self._held]:  # the last may be half written: it waits for the next look
            self._held = fresh.pop()
        self._shown = [*self._shown, *fresh][-max(_MARK, len(lines)) :]
        return fresh if most is None else fresh[max(0, len(fresh) - most) :]


def _reached(shown: Sequence[str], lines: Sequence[str]) -> int:
    """How many of `lines` were shown; 0 when none is known.

    What was shown ends where the unknown begins, so it overlaps with the beginning of `lines`: the longest overlap
    counts. The first of `lines` may lack its beginning, the last shown one its end.
    """
    for count in range(min(len(shown), len(lines)), 0, -1):
        known = shown[-count:]
        if lines[1 : count - 1] == known[1:-1] and (count > 1 or lines[0].startswith(known[0])):
            if lines[count - 1] == known[-1]:
                return count
            if lines[count - 1].startswith(known[-1]):
                return count - 1  # it stayed half written for long: it is shown again as a whole
    mark = shown[-_MARK:]
    ends = range(len(lines), len(mark) - 1, -1) if mark else ()
    return next((end for end in ends if lines[end - len(mark) : end] == mark), 0)
