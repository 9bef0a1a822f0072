"""One gang: what its seats and ranks do, and what is to be done about it.

Nothing here waits or talks to Dask: events come in, and orders go out through `Hands`. So that a gang's rules can be
read, and tested, in one place:

- All seats are taken before a rank starts, and all ranks start together.
- When a rank ends too early, all others are ended. One cause is to blame; what the others raised since they lost it
  isn't shown.
- A worker that went isn't the code's fault: the gang begins again as soon as another worker has taken its seat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ....core.base import Seconds, Time

#: Where a task runs that waits for a seat: no worker has this address.
NOWHERE = "tls://0.0.0.0:1"

#: Seconds that are waited for the cause, when a rank says that it has lost another one.
PATIENCE: Seconds = 2.0

#: How often a gang may begin again because workers went.
MOST_ATTEMPTS = 100

SeatPhase = Literal["empty", "given", "ready", "running", "breaking", "done"]

CauseKind = Literal["gone", "died", "raised", "lost others"]

#: The kinds of causes, what is most likely to blame first: whoever lost another rank is not.
_ORDER: tuple[CauseKind, ...] = ("gone", "died", "raised", "lost others")


@dataclass(frozen=True)
class Cause:
    """Why an attempt ended: of which rank (None: of a whole seat), how, and its error in words."""

    rank: int | None
    kind: CauseKind
    error: str


@dataclass
class SeatState:
    """The gang's place on one worker: a Dask task. `ranks` are those that have not ended yet."""

    key: str
    number: int
    phase: SeatPhase = "empty"
    worker: str = ""
    ranks: set[int] = field(default_factory=set)
    #: What others must know of it: machine, host, port, folder.
    place: dict[str, Any] = field(default_factory=dict)


class Hands(Protocol):
    """What a gang does."""

    def order(self, seat: SeatState, do: str, **what: Any) -> None:
        """Tell a seat to `start`, `break` or `finish`."""

    def say(self, text: str) -> None:
        """Tell who watches the run."""

    def fail(self, error: str) -> None:
        """End the run: no seat can tell more of the error."""


class Gang:
    """The state of one gang.

    Parameters
    ----------
    keys : of the seats' tasks, in their order.
    per_worker : ranks of each seat.
    hands : does what is to be done.
    """

    def __init__(self, keys: Sequence[str], per_worker: int, hands: Hands) -> None:
        self.seats = [SeatState(key, number) for number, key in enumerate(keys)]
        self.per_worker, self._hands = per_worker, hands
        self.attempt = 0
        self.over = False
        self._causes: list[Cause] = []
        #: When the first of these causes came, on the caller's clock.
        self._since: Time = 0.0

    @property
    def world(self) -> int:
        """The number of ranks."""
        return len(self.seats) * self.per_worker

    @property
    def empty(self) -> list[SeatState]:
        """The seats that no worker was given to."""
        return [] if self.over else [seat for seat in self.seats if seat.phase == "empty"]

    @property
    def waits(self) -> bool:
        """Whether it waits for something that nobody tells of: a worker, or the cause of an end."""
        return not self.over and (bool(self._causes) or any(seat.phase in ("empty", "given") for seat in self.seats))

    def seat(self, key: str) -> SeatState | None:
        """The seat of that task."""
        return next((seat for seat in self.seats if seat.key == key), None)

    def given(self, seat: SeatState, worker: str) -> None:
        """The seat's task was sent to `worker`."""
        seat.phase, seat.worker = "given", worker

    def refused(self, seat: SeatState) -> None:
        """The worker didn't take the seat's task."""
        seat.phase, seat.worker = "empty", ""

    def ready(self, seat: SeatState, worker: str, place: dict[str, Any], now: Time) -> None:
        """The seat has its thread, and none of its ranks runs."""
        seat.phase, seat.worker, seat.place, seat.ranks = "ready", worker, place, set()
        self.look(now)

    def ended(self, seat: SeatState, rank: int, cause: Cause | None, now: Time) -> None:
        """A rank has ended; `cause` is what went wrong."""
        if seat.phase != "running":
            return
        seat.ranks.discard(rank)
        if cause is not None:
            self._blame(cause, now)
        elif not seat.ranks:
            seat.phase = "done"
        self.look(now)

    def left(self, seat: SeatState, now: Time) -> None:
        """The seat's task is computed by nobody any more: its worker went."""
        gone = f"the worker of {_ranks(seat, self.per_worker)} went"
        if self.over:
            self._hands.fail(f"{gone} before it had told how they ended")
            return
        if self.attempt and seat.phase != "given":
            self._blame(Cause(None, "gone", gone), now)
        seat.phase, seat.worker, seat.ranks = "empty", "", set()
        self.look(now)

    def look(self, now: Time) -> None:
        """Do what is to be done now."""
        if self.over:
            return
        if self._causes:
            self._break_up(now)
        elif all(seat.phase == "ready" for seat in self.seats):
            self._start()
        elif all(seat.phase == "done" for seat in self.seats):
            self._finish(None)

    def _blame(self, cause: Cause, now: Time) -> None:
        if not self._causes:
            self._since = now
        self._causes.append(cause)

    def _break_up(self, now: Time) -> None:
        """End what still runs; once nothing does, begin again or end."""
        cause = min(self._causes, key=lambda each: _ORDER.index(each.kind))
        runs = any(seat.phase == "running" for seat in self.seats)
        if cause.kind == "lost others" and runs and now - self._since < PATIENCE:
            return  # which one it lost, and why, is about to be known
        if cause.kind != "gone":
            self._finish(cause.rank)
            return
        for seat in self.seats:
            if seat.phase in ("running", "done"):
                seat.phase = "breaking"
                self._hands.order(seat, "break")
        if not any(seat.phase == "breaking" for seat in self.seats):
            self._begin_again(cause)

    def _begin_again(self, cause: Cause) -> None:
        self._causes = []
        if self.attempt >= MOST_ATTEMPTS:
            self.over = True
            self._hands.fail(f"{cause.error}, in {self.attempt} attempts")
            return
        self._hands.say(f"[gang] {cause.error}: all ranks begin again, as soon as another one is there")

    def _start(self) -> None:
        self.attempt += 1
        first = self.seats[0]
        together = all(seat.place["machine"] == first.place["machine"] for seat in self.seats)
        for seat in self.seats:
            begin = seat.number * self.per_worker
            seat.phase, seat.ranks = "running", set(range(begin, begin + self.per_worker))
            self._hands.order(
                seat,
                "start",
                attempt=self.attempt,
                world=self.world,
                first=begin,
                ranks=self.per_worker,
                group_rank=seat.number,
                groups=len(self.seats),
                restarts=MOST_ATTEMPTS,
                file=f"{first.place['folder']}/store-{self.attempt}" if together else "",
                host=first.place["host"],
                port=first.place["port"],
            )

    def _finish(self, blame: int | None) -> None:
        """Let each seat give what it has, and say which rank is to blame."""
        self.over = True
        for seat in self.seats:
            self._hands.order(seat, "finish", blame=blame)


def _ranks(seat: SeatState, per_worker: int) -> str:
    first = seat.number * per_worker
    return f"rank {first}" if per_worker == 1 else f"ranks {first} to {first + per_worker - 1}"
