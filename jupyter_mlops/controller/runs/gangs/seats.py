"""The seats of a gang, and why an attempt of it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

#: Where a task runs that waits for a seat: no worker has this address.
NOWHERE = "tls://0.0.0.0:1"

SeatPhase = Literal["empty", "given", "ready", "running", "breaking", "done", "left"]

CauseKind = Literal["gone", "port taken", "died", "raised", "lost others", "hung"]

#: The kinds of causes, what is most likely to blame first: whoever lost another rank is not.
BLAME: tuple[CauseKind, ...] = ("gone", "port taken", "died", "raised", "lost others", "hung")


@dataclass(frozen=True)
class Cause:
    """Why an attempt ended: of which rank (None: of a whole seat, or of nobody knows which), how, and its error in
    words."""

    rank: int | None
    kind: CauseKind
    error: str

    @property
    def words(self) -> str:
        """It, with whose it is."""
        return self.error if self.rank is None else f"rank {self.rank}: {self.error}"


@dataclass(eq=False)
class SeatState:
    """The gang's place on one worker: a Dask task. `ranks` are those that have not ended yet."""

    key: str
    number: int
    phase: SeatPhase = "empty"
    worker: str = ""
    #: The first of its ranks in this attempt.
    first: int = 0
    ranks: set[int] = field(default_factory=set)
    #: Whether its worker is about to go.
    leaves: bool = False
    #: What others must know of it: machine, host, port, folder.
    place: dict[str, Any] = field(default_factory=dict)

    def ranks_of(self, per_worker: int) -> str:
        """Its ranks in words, with so many on each worker."""
        last = self.first + per_worker - 1
        return f"rank {self.first}" if per_worker == 1 else f"ranks {self.first} to {last}"
