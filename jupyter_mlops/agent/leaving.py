"""How all ranks of a gang stop at the same step, when one of their workers is about to go.

Ranks that stop at different steps wait for each other for ever. So each counts how often its code asked whether to
stop. When there is notice, the next question of each rank waits for the number at which all are told yes: one more than
any rank has been told no. The numbers are in a file that a seat shares with its ranks.
"""

from __future__ import annotations

import struct
import time
from pathlib import Path

from .buffers import common

#: In the file: whether there is notice, the question that is answered yes (0: not agreed yet), and each rank's count.
_NOTICE, _LAST, _COUNTS = 0, 1, 2

_NUMBER = struct.Struct("=q")

#: Seconds that a rank waits for the others to agree.
PATIENCE = 20.0


class _Numbers:
    """Numbers in a file, shared by processes."""

    def __init__(self, path: str) -> None:
        self._shared = common(path)

    def get(self, index: int) -> int:
        """The number at a place."""
        return int(_NUMBER.unpack_from(self._shared, index * _NUMBER.size)[0])

    def set(self, index: int, value: int) -> None:
        """Change it."""
        _NUMBER.pack_into(self._shared, index * _NUMBER.size, value)


class LeaveNotice:
    """A seat's side.

    Parameters
    ----------
    path : of the file, which is made.
    ranks : how many the seat has.
    """

    def __init__(self, path: str, ranks: int) -> None:
        Path(path).write_bytes(bytes(_NUMBER.size * (_COUNTS + ranks)))
        self._numbers, self._ranks = _Numbers(path), ranks

    def give(self) -> int:
        """There is notice: how often, at most, one of the ranks was told to go on."""
        self._numbers.set(_NOTICE, 1)
        return max(self._numbers.get(_COUNTS + local) for local in range(self._ranks))

    def agree(self, last: int) -> None:
        """All are told to stop with their question of this number, from 1 on."""
        self._numbers.set(_LAST, last)


class Stopping:
    """A rank's side.

    Parameters
    ----------
    path : of the file.
    local : the rank's number among those of its seat.
    """

    def __init__(self, path: str, local: int) -> None:
        self._numbers, self._at = _Numbers(path), _COUNTS + local
        self._asked = 0
        #: Whether the code was told to stop.
        self.told = False

    def ask(self) -> bool:
        """Whether the code is to save what it has and return."""
        if self.told:
            return True
        self._asked += 1
        self._numbers.set(self._at, self._asked)  # before looking: whoever gives notice after that counts this question
        if not self._numbers.get(_NOTICE):
            return False
        deadline = time.monotonic() + PATIENCE
        while not (last := self._numbers.get(_LAST)) and time.monotonic() < deadline:
            time.sleep(0.002)
        self.told = bool(last) and self._asked >= last
        return self.told
