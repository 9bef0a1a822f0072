"""One gang: what its seats and ranks do, and what is to be done about it.

Nothing here waits or talks to Dask: events come in, and orders go out through `Hands`. So that a gang's rules can be
read, and tested, in one place:

- All seats are taken before a rank starts, and all ranks start together.
- When a rank ends too early, all others are ended. One cause is to blame; what the others raised since they lost it
  isn't shown.
- A worker that went isn't the code's fault: the gang begins again as soon as another worker has taken its seat.
- Nor is a port that was taken meanwhile: it begins again with other ones, a few times.
- After any other cause it begins again, a few times, if it has got on: with a checkpoint since it began last.
- When no rank gets on it hangs, which ends an attempt as any other cause does.
- A checkpoint is kept once all ranks have written their parts.
- When a worker is about to go all ranks may stop at the same step, and begin again without it.
- Where the gang is a trial of a sweep that is pruned, all ranks end with the one that hears of it.
- An elastic gang makes do with fewer workers than it was asked to have, rather than wait for them; when it could have
  more it begins again with them, right after a checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ....core.base import Seconds, Time
from ....core.run import RESTARTS
from ....core.words import count
from .checkpoints import GangCheckpoints
from .seats import BLAME, Cause, SeatState

#: Seconds that are waited for the cause, when a rank says that it has lost another one.
PATIENCE: Seconds = 2.0

#: How often a gang may begin again because workers went.
MOST_ATTEMPTS = 100

#: How often it may begin again because a port was taken.
MOST_PORTS = 3

#: Seconds that an elastic gang waits for more workers before it begins with those that there are.
SETTLE: Seconds = 10.0

#: Seconds between two beginnings of an elastic gang, at least, when the second one is for more workers only.
GROW: Seconds = 600.0


class Hands(Protocol):
    """What a gang does."""

    def order(self, seat: SeatState, do: str, **what: Any) -> None:
        """Tell a seat what to do (`GangSeat.obey`)."""

    def say(self, text: str) -> None:
        """Tell who watches the run."""

    def fail(self, error: str) -> None:
        """End the run: no seat can tell more of the error."""

    def end_without(self, seats: list[SeatState]) -> None:
        """The run doesn't wait for these seats, which had no part in the last attempt."""

    def idle(self) -> int:
        """Workers that have nothing to do and could be given a seat."""

    def began(self, attempt: int, world: int, resume: dict[str, Any] | None) -> None:
        """All ranks of an attempt begin, `world` in number; with the step and time of the checkpoint that they go on
        from, and whether it is of this run (`ours`)."""


class Gang:
    """The state of one gang.

    Parameters
    ----------
    keys : of the seats' tasks, in their order.
    per_worker : ranks of each seat.
    hands : does what is to be done.
    restarts : how often it may begin again for other causes than a worker that went.
    at_least : workers that are enough, if it is elastic; all seats need one otherwise.
    now : the time, on the caller's clock.
    """

    def __init__(
        self,
        keys: Sequence[str],
        per_worker: int,
        hands: Hands,
        restarts: int = RESTARTS,
        at_least: int | None = None,
        now: Time = 0.0,
    ) -> None:
        self.seats = [SeatState(key, number, first=number * per_worker) for number, key in enumerate(keys)]
        self.per_worker, self._hands = per_worker, hands
        self._at_least = at_least or len(self.seats)
        #: Seats that the next attempt waits for; since when nothing has changed in that; and those of this attempt.
        self._wanted, self._still_since, self._attending = len(self.seats), now, self.seats
        self._began: Time = now
        self.attempt = 0
        self.over = False
        self._restarts, self._most = restarts, restarts
        self._ports = MOST_PORTS
        self._causes: list[Cause] = []
        #: When the first of these causes came, on the caller's clock.
        self._since: Time = 0.0
        self._checkpoints = GangCheckpoints(0, 0, None)
        #: Once a worker is about to go: how often, at most, the ranks of each seat have asked whether to stop; and
        #: whether one has stopped since.
        self._asked: dict[int, int] | None = None
        self._early = False

    @property
    def world(self) -> int:
        """The number of ranks."""
        return len(self._attending) * self.per_worker

    @property
    def elastic(self) -> bool:
        """Whether it makes do with fewer workers than seats."""
        return self._at_least < len(self.seats)

    @property
    def empty(self) -> list[SeatState]:
        """The seats that are to be given a worker, now that no attempt runs."""
        if self.over or self._runs:
            return []
        empty = [seat for seat in self.seats if seat.phase == "empty"]
        return empty[: max(0, self._wanted - len(self.seats) + len(empty))]

    @property
    def waits(self) -> bool:
        """Whether it waits for something that nobody tells of: a worker, or the cause of an end."""
        given = not self._runs and any(seat.phase == "given" for seat in self.seats)
        return not self.over and (bool(self._causes) or bool(self.empty) or given)

    @property
    def busy(self) -> bool:
        """Whether a worker is given to one of its seats."""
        return any(seat.worker for seat in self.seats)

    @property
    def _runs(self) -> bool:
        return any(seat.phase in ("running", "done") for seat in self.seats)

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
        self._still_since = now
        if self.over:  # its task hadn't begun when the others were told
            self._let_go(seat)
            return
        if seat.leaves or self._runs:  # it came too late for this attempt
            self._send_away(seat)
            return
        if fault := place.get("fault"):
            self.over = True
            self._hands.fail(fault)
        self.look(now)

    def ended(
        self,
        seat: SeatState,
        rank: int,
        cause: Cause | None,
        now: Time,
        early: bool = False,
        pruned: bool = False,
    ) -> None:
        """A rank has ended; `cause` is what went wrong, `early`: it has stopped because a worker is about to go,
        `pruned`: the trial that the gang is ends here, for all ranks."""
        if seat.phase != "running" or self.over:
            return
        if pruned:
            self._causes = []  # the others may have lost this one already
            self._finish(None)
            return
        self._early = self._early or early
        seat.ranks.discard(rank)
        if cause is not None:
            self._blame(cause, now)
        elif not seat.ranks:
            seat.phase = "done"
        self.look(now)

    def hung(self, cause: Cause, now: Time) -> None:
        """None of its ranks gets on."""
        if not self.over and self._runs and not self._causes:
            self._blame(cause, now)
            self.look(now)

    def left(self, seat: SeatState, now: Time) -> None:
        """The seat's task is computed by nobody any more: its worker went."""
        gone = f"the worker of {seat.ranks_of(self.per_worker)} went"
        attends = self.attempt > 0 and seat in self._attending
        if self.over and attends:
            self._hands.fail(f"{gone} before it had told how they ended")
            return
        if attends and seat.phase not in ("given", "left"):
            self._blame(Cause(None, "gone", gone), now)
        self._still_since = now
        seat.phase, seat.worker, seat.ranks, seat.leaves = "empty", "", set(), False
        self.look(now)

    # A worker that is about to go

    def leaving(self, seat: SeatState) -> None:
        """The seat's worker is about to go: its ranks have until then to save what they have."""
        seat.leaves = True
        if seat.phase == "ready":
            self._send_away(seat)
        elif seat.phase in ("running", "done"):
            self._give_notice(f"The worker of {seat.ranks_of(self.per_worker)}")

    def ending(self) -> None:
        """The cluster is about to end: all ranks have until then to save what they have."""
        if self._runs:
            for seat in self._attending:
                seat.leaves = True
            self._give_notice("The cluster")

    def _give_notice(self, who: str) -> None:
        if self._asked is None and not self.over:
            self._asked = {}
            self._hands.say(f"{who} is about to go")
            for each in self._attending:
                self._hands.order(each, "notice")

    def noticed(self, seat: SeatState, asked: int) -> None:
        """The ranks of a seat know of it; one of them had asked so often whether to stop."""
        if self._asked is None:
            return
        self._asked[seat.number] = asked
        if len(self._asked) == len(self._attending):
            for each in self._attending:
                self._hands.order(each, "agree", last=max(self._asked.values()) + 1)

    # Checkpoints

    def written(self, rank: int, step: int, best: float | None, alone: bool, files: dict[str, int]) -> None:
        """A rank has written its part of a checkpoint: of all of it, if it writes `alone`."""
        if self.over or self._causes:
            return
        manifest = self._checkpoints.written(rank, step, best, alone, files)
        if manifest is not None:
            self._hands.order(self._attending[0], "keep", manifest=manifest)
        elif missing := self._checkpoints.missing_beside(rank):
            self._hands.say(missing)

    def kept(self, step: int, now: Time) -> None:
        """A checkpoint is complete."""
        self._checkpoints.kept(step)
        self.look(now)
        self._grow(now)

    def not_kept(self, step: int, error: str, now: Time) -> None:
        """It could not be completed; the ranks go on."""
        self._checkpoints.keeping -= 1
        self._hands.say(f"The checkpoint of step {step} is not kept: {error}")
        self.look(now)

    # What is to be done

    def look(self, now: Time) -> None:
        """Do what is to be done now."""
        if self.over:
            return
        if self._causes:
            self._break_up(now)
        if self._causes or self.over:
            return
        if self._runs:
            if all(seat.phase == "done" for seat in self._attending):
                if self._early:
                    self._leave()
                else:
                    self._finish(None)
        elif len(ready := [seat for seat in self.seats if seat.phase == "ready"]) >= self._wanted:
            self._start(ready, now)
        elif self.elastic and now - self._still_since >= SETTLE:
            self._still_since = now
            if (here := len(ready) + self._hands.idle()) >= self._at_least:
                self._wanted = min(here, len(self.seats))
                self.look(now)

    def have(self, idle: int) -> None:
        """So many workers are idle: it wants to begin with all of them, now that no attempt runs."""
        taken = sum(seat.phase != "empty" for seat in self.seats)
        self._wanted = max(self._wanted, min(taken + idle, len(self.seats)))

    def _grow(self, now: Time) -> None:
        """Begin again with more workers, if there are any, and if it is long since it began."""
        running = [seat for seat in self._attending if seat.phase == "running"]
        if self.over or self._causes or len(running) < len(self._attending) or len(running) == len(self.seats):
            return
        if now - self._began < GROW or not (idle := self._hands.idle()):
            return
        self._wanted = min(len(running) + idle, len(self.seats))
        more = count(self._wanted - len(running), "more worker")
        self._hands.say(f"All ranks begin again, with {more}")
        self._break(running)

    def _blame(self, cause: Cause, now: Time) -> None:
        if not self._causes:
            self._since = now
        self._causes.append(cause)

    def _break_up(self, now: Time) -> None:
        """End what still runs; once nothing does, begin again or end."""
        cause = min(self._causes, key=lambda each: BLAME.index(each.kind))
        runs = any(seat.phase == "running" for seat in self.seats)
        soon = now - self._since < PATIENCE
        if soon and (
            (cause.kind == "lost others" and runs) or (cause.kind != "gone" and self._checkpoints.keeping > 0)
        ):
            return  # which one it lost, and why, and whether the last checkpoint is complete, is about to be known
        if not self._is_excused(cause) and (not self._checkpoints.got_on or not self._restarts):
            if cause.kind == "hung":  # no rank can tell of it
                self.over = True
                self._hands.fail(cause.words)
            else:
                self._finish(cause.rank)
            return
        self._break([seat for seat in self.seats if seat.phase in ("running", "done")])
        if not any(seat.phase == "breaking" for seat in self.seats):
            self._begin_again(cause, now)

    def _is_excused(self, cause: Cause) -> bool:
        """Whether it isn't the code's fault."""
        return cause.kind == "gone" or (cause.kind == "port taken" and self._ports > 0)

    def _break(self, seats: list[SeatState]) -> None:
        """End their ranks."""
        for seat in seats:
            seat.phase = "breaking"
            self._hands.order(seat, "break")

    def _begin_again(self, cause: Cause, now: Time) -> None:
        self._causes = []
        self._still_since = now
        if cause.kind == "gone":
            if self.attempt >= MOST_ATTEMPTS:
                self.over = True
                self._hands.fail(f"{cause.error}, in {self.attempt} attempts")
                return
            self._hands.say(f"{cause.error}: all ranks begin again, as soon as another one is there")
            return
        if self._is_excused(cause):
            self._ports -= 1
            self._hands.say(f"{cause.words}: all ranks begin again, with other ports")
            return
        self._restarts -= 1
        which = f"restart {self._most - self._restarts} of {self._most}"
        self._hands.say(f"{cause.words}: all ranks begin again ({which})")

    def _leave(self) -> None:
        """All have stopped because a worker is about to go, or all of them: begin again without it."""
        self._hands.say("All ranks have stopped at the same step, and begin again when workers stay")
        self._early = False
        for seat in self._attending:
            if seat.leaves:
                self._send_away(seat)
            else:
                self._break([seat])

    def _send_away(self, seat: SeatState) -> None:
        seat.phase = "left"
        self._hands.order(seat, "leave")

    def _start(self, seats: list[SeatState], now: Time) -> None:
        self.attempt += 1
        self._attending, self._wanted, self._began = seats, len(seats), now
        self._asked, self._early = None, False
        first = seats[0]
        resume = first.place.get("resume")
        self._checkpoints = GangCheckpoints(self.attempt, self.world, resume)
        self._hands.began(self.attempt, self.world, resume)
        where = [seat.place["machine"] for seat in seats]
        machines = list(dict.fromkeys(where))  # a machine's ranks share its GPUs
        for number, seat in enumerate(seats):
            seat.phase, seat.first = "running", number * self.per_worker
            seat.ranks = set(range(seat.first, seat.first + self.per_worker))
            machine = where[number]
            self._hands.order(
                seat,
                "start",
                attempt=self.attempt,
                world=self.world,
                first=seat.first,
                ranks=self.per_worker,
                local=where[:number].count(machine) * self.per_worker,
                local_world=where.count(machine) * self.per_worker,
                group_rank=machines.index(machine),
                groups=len(machines),
                restarts=self._most,
                resume=resume,
                file=f"{first.place['folder']}/store-{self.attempt}" if len(machines) == 1 else "",
                host=first.place["host"],
                port=first.place["port"],
                jax_port=first.place["jax_port"],
            )

    def _finish(self, blame: int | None) -> None:
        """Let each seat give what it has, and say which rank is to blame."""
        self.over = True
        self._hands.end_without([seat for seat in self.seats if seat not in self._attending])
        for seat in self._attending:
            self._let_go(seat, blame)

    def _let_go(self, seat: SeatState, blame: int | None = None) -> None:
        self._hands.order(seat, "finish", blame=blame, seats=len(self._attending))
