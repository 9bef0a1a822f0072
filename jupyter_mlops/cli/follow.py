"""Which lines of a log are new, when only its end can be asked for, again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

#: Lines by which the place is found again that was reached.
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
        last = fresh[-1] if fresh else None
        if not over and last != self._held:  # it may be half written: it is shown when it is the same at the next look
            self._held = last
            fresh.pop()
        self._shown = [*self._shown, *fresh][-_MARK:]
        return fresh if most is None else fresh[max(0, len(fresh) - most) :]


def _reached(shown: Sequence[str], lines: Sequence[str]) -> int:
    """How many of `lines` were shown: they are found by the last ones; 0 when none is there."""
    tests: tuple[Callable[[str, str], bool], ...] = (str.__eq__, str.startswith)
    for length in (len(shown), min(1, len(shown))):
        for test in tests:
            for end in range(len(lines), max(0, length - 1), -1):
                part = lines[end - length : end]
                if length and part[:-1] == shown[-length:-1] and test(part[-1], shown[-1]):
                    return end if part[-1] == shown[-1] else end - 1  # it was half written for long: shown as a whole
    return 0
