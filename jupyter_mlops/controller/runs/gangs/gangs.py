"""All gangs of a cluster: runs, and trials of sweeps; which workers they get, and what they hear and say.

Dask gives a task to a worker, and not a worker to a task: so it would give two seats of a gang to one worker, or half
of the workers to each of two gangs, which would then wait for each other. Here the oldest gang gets all of its workers
before the next one gets any, and for as long as it has them they are given nothing else to do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ....core.base import Seconds, Time
from ....core.resources import group_in
from ....core.run import FINAL, RESTARTS, Checkpoint
from ....core.stack import STOPPED, PythonStacks
from ....core.words import count, span
from ... import dask
from ...background import Background
from ..liverun import LiveRun
from ..stacks import stacks_of
from .gang import Gang
from .seats import NOWHERE, Cause, SeatState
from .steps import StepWatch

if TYPE_CHECKING:
    from distributed import Scheduler
    from distributed.scheduler import WorkerState as DaskWorker

#: Seconds between two looks while a gang waits for workers, or for a cause.
LOOK: Seconds = 0.1

#: Seconds between two looks whether a gang hangs.
WATCH: Seconds = 1.0

#: Seconds without a word of a worker after which its gang does without it, and between two looks for such workers.
SILENT: Seconds = 10.0
LISTEN: Seconds = 1.0

#: Heartbeats that a worker must have missed by then: where there are thousands, each has one every ten seconds.
MISSED = 4

#: Seconds after which a gang that waits says so.
SILENCE: Seconds = 3.0


class Gangs:
    """The gangs whose runs are not over.

    Parameters
    ----------
    scheduler : Dask's.
    fail : ends a run, with an error in words.
    mark : a run went on: its watchers are told soon.
    """

    def __init__(
        self, scheduler: Scheduler, fail: Callable[[LiveRun, str], None], mark: Callable[[LiveRun], None]
    ) -> None:
        self._scheduler, self._fail, self._mark = scheduler, fail, mark
        #: By run, and trial of a sweep.
        self._gangs: dict[tuple[str, int | None], _Known] = {}
        #: Workers that are seats' alone, and since when, until what waited on them was sent elsewhere.
        self._crowded: dict[str, Time] = {}
        #: Workers that are about to go.
        self._leaving: set[str] = set()
        self._background = Background()
        self._looking = self._watching = self._listening = False
        #: Whether the cluster is about to end: no gang begins any more.
        self._ending = False

    async def close(self) -> None:
        """Stop what is under way."""
        await self._background.close()

    def needed(self, group: str, together: bool) -> int:
        """Workers of a group that its gangs need: all of them together, or one after the other."""
        gangs = [known.gang for known in self._gangs.values() if known.group == group]
        seats = [len(gang.seats) for gang in gangs if not gang.over or gang.busy]
        return sum(seats) if together else max(seats, default=0)

    def open(self, run: LiveRun) -> None:
        """A gang's run was opened: its seats' tasks are about to come."""
        self._add(run, None, _Known(self._scheduler, run, self._fail, self._mark, self._idle))

    def sent(self, run: LiveRun, key: str) -> None:
        """A task of a run of gangs is about to come: the first one of a trial's seats makes it known."""
        trial = _trial_of(run, key)
        if trial is not None and (run.state.id, trial) not in self._gangs:
            self._add(run, trial, _OfTrial(self._scheduler, run, self._fail, self._mark, self._idle, trial))

    def _add(self, run: LiveRun, trial: int | None, known: _Known) -> None:
        seats = run.state.seats
        keys = [f"mlrun-{run.state.id}-{number + (trial or 0) * seats}" for number in range(seats)]
        restarts = int(run.state.options.get("restarts", RESTARTS))
        known.gang = Gang(keys, run.state.per_worker, known, restarts, run.state.least_seats, time.monotonic())
        if trial is None:
            run.whereabouts = lambda: known.steps.whereabouts
        self._gangs[run.state.id, trial] = known
        self._keep_looking()

    def end_soon(self, soon: bool) -> None:
        """The cluster is about to end, or isn't any more. May be called again and again."""
        for known in self._gangs.values() if soon else ():
            known.gang.ending()
        if soon != self._ending:
            self._ending = soon
            self._keep_looking()

    def heard(self, run: LiveRun, worker: str, key: str, state: str, **what: Any) -> None:
        """A seat tells how it is, or how a rank has ended."""
        if (found := self._seat_of(run, key)) is None:
            if state == "seated" and run.live and worker in self._scheduler.workers:  # its trial had failed meanwhile
                _send(self._scheduler, run, worker, "finish", blame=None, seats=1)
            return
        known, seat = found
        now = time.monotonic()
        if state == "steps":
            known.steps.take(what["ranks"], now)
            known.show_ranks()
            self._keep_watching()
            return
        if state == "rank":
            known.steps.ended(what["rank"], "done" if what["done"] else "failed")
            known.show_ranks()
            cause = None if what["done"] else Cause(what["rank"], what["cause"], what["error"])
            known.gang.ended(seat, what["rank"], cause, now, bool(what.get("early")), bool(what.get("pruned")))
        elif state == "leaves":
            self._leaving.add(worker)
            known.gang.leaving(seat)
        elif state == "noticed":
            known.gang.noticed(seat, what["asked"])
        elif state == "written":
            known.gang.written(what["rank"], what["step"], what["best"], what["alone"], what["files"])
        elif state == "kept":
            known.keep(what["step"], what["best"], what["size"])
            known.gang.kept(what["step"], now)
        elif state == "not kept":
            known.gang.not_kept(what["step"], what["error"], now)
        else:
            self._hold(worker)
            dask.seated(self._scheduler, key)
            known.gang.ready(seat, worker, what, now)
        self._keep_looking()

    def left(self, run: LiveRun, key: str) -> None:
        """A seat's task isn't computed any more, and has not ended: its worker went, or is about to."""
        if (found := self._seat_of(run, key)) is None:
            return
        if key not in self._scheduler.tasks:  # its kernel has let go of it, as of trials when the sweep's time is over
            self.ended(run, key)
            return
        known, seat = found
        dask.take_seat(self._scheduler, key, NOWHERE)
        self._release(seat)
        known.gang.left(seat, time.monotonic())
        self._keep_looking()

    def closed(self, run: LiveRun) -> None:
        """The run is over: its workers are free."""
        for of in [of for of in self._gangs if of[0] == run.state.id]:
            for seat in self._gangs.pop(of).gang.seats:
                self._release(seat)

    def ended(self, run: LiveRun, key: str) -> None:
        """A seat's task has ended: its worker is free. A trial whose seats have all ended is known no longer."""
        if (found := self._seat_of(run, key)) is None:
            return
        known, seat = found
        self._release(seat)
        known.left.add(key)
        if known.trial is not None and all(each.key in known.left for each in known.gang.seats):
            del self._gangs[run.state.id, known.trial]

    def _seat_of(self, run: LiveRun, key: str) -> tuple[_Known, SeatState] | None:
        known = self._gangs.get((run.state.id, _trial_of(run, key)))
        seat = known.gang.seat(key) if known is not None else None
        return None if known is None or seat is None else (known, seat)

    # Workers

    def _hold(self, address: str) -> None:
        """A worker is a seat's alone from here on."""
        worker = self._scheduler.workers.get(address)
        if worker is not None and worker in self._scheduler.running:
            dask.drain(self._scheduler, worker)
            self._crowded[address] = time.time()

    def _release(self, seat: SeatState) -> None:
        """A worker that isn't about to go gets other tasks again."""
        worker = self._scheduler.workers.get(seat.worker)
        goes = seat.worker in self._leaving
        if worker is not None and worker not in self._scheduler.running and not goes:
            dask.drain(self._scheduler, worker, going=False)
        self._crowded.pop(seat.worker, None)
        seat.worker = ""

    def _clear(self) -> None:
        """What waited on workers that are seats' alone runs elsewhere."""
        for address, since in list(self._crowded.items()):
            worker = self._scheduler.workers.get(address)
            if worker is None:
                del self._crowded[address]
            elif worker.last_seen > since + dask.CERTAIN:
                dask.move_waiting_tasks(self._scheduler, worker)
                del self._crowded[address]

    def _free(self, group: str) -> list[DaskWorker]:
        """Workers that a seat may be given, those with the least to do first."""
        self._leaving &= self._scheduler.workers.keys()
        taken = {seat.worker for known in self._gangs.values() for seat in known.gang.seats}
        free = [
            worker
            for worker in self._scheduler.running
            if worker.address not in taken | self._leaving and group_in(worker.resources) in (group, None)
        ]
        return sorted(free, key=lambda worker: (len(worker.processing), worker.host, str(worker.name)))

    def _idle(self, group: str) -> int:
        return sum(not worker.processing for worker in self._free(group))

    # Watching for hangs

    def _keep_watching(self) -> None:
        if not self._watching:
            self._watching = True
            self._background.spawn(self._watch())

    async def _watch(self) -> None:
        """Look again and again whether a gang hangs."""
        try:
            while watched := [known for known in self._gangs.values() if known.steps.watches]:
                for known in watched:
                    if known.steps.silent(time.monotonic()) is not None:
                        await self._end_hang(known)
                await asyncio.sleep(WATCH)
        finally:
            self._watching = False

    async def _end_hang(self, known: _Known) -> None:
        """Say where all ranks are, and have the attempt ended; unless they got on meanwhile."""
        attempt = known.gang.attempt
        stacks = await stacks_of(self._scheduler, known.run.state.id, known.workers)
        now = time.monotonic()
        silent = known.steps.silent(now)
        if silent is None or known.gang.attempt != attempt or known.gang.over:
            return
        stopped = [each.rank for each in stacks if each.why == STOPPED and each.rank is not None]
        rank, words = known.steps.who(stopped, silent, now)
        known.say(f"It hangs: {words}. Where each rank is:\n{PythonStacks(stacks)!r}\n")
        known.steps.clear()
        known.gang.hung(Cause(rank, "hung", f"RunHung: {words}"), now)
        self._keep_looking()

    # Listening for workers that have fallen silent

    def _keep_listening(self) -> None:
        if not self._listening:
            self._listening = True
            self._background.spawn(self._listen())

    async def _listen(self) -> None:
        """Look again and again whether a gang's worker says nothing any more: it hangs, or its machine does, while its
        connection stays open. Whoever hangs himself hears nobody, so that doesn't count; nor do jumps of the clock."""
        looked = time.monotonic()
        #: When each was heard last, by its own account, and since when that is known here.
        heard: dict[str, tuple[Time, Time]] = {}
        try:
            while seated := [known for known in self._gangs.values() if known.gang.busy]:
                await asyncio.sleep(LISTEN)
                now, before = time.monotonic(), looked
                looked = now
                if now - before > 2 * LISTEN:
                    heard.clear()
                for known in seated:
                    for address in known.workers:
                        await self._give_up_if_silent(known, address, heard, now)
        finally:
            self._listening = False

    async def _give_up_if_silent(
        self, known: _Known, address: str, heard: dict[str, tuple[Time, Time]], now: Time
    ) -> None:
        worker = self._scheduler.workers.get(address)
        if worker is None:
            return
        last = float(worker.last_seen)
        at, since = heard.get(address, (last, now))
        patience = max(SILENT, MISSED * dask.heartbeat(self._scheduler))
        if at == last and now - since > patience:
            known.say(f"The worker {worker.name} has said nothing for {patience:.0f} s")
            await dask.give_up(self._scheduler, worker)
        else:
            heard[address] = (last, since if at == last else now)

    # Looking

    def _keep_looking(self) -> None:
        if not self._looking:
            self._looking = True
            self._background.spawn(self._look())

    async def _look(self) -> None:
        """Look again and again, while a gang waits for something that nobody tells of."""
        try:
            while self._crowded or any(known.gang.waits for known in self._gangs.values()):
                self._clear()
                passed_over: set[str] = set()
                for known in list(self._gangs.values()):
                    known.gang.look(time.monotonic())
                    if known.group not in passed_over and not self._ending:
                        self._seat(known)
                    if known.gang.empty:
                        passed_over.add(known.group)
                await asyncio.sleep(LOOK)
        finally:
            self._looking = False

    def _seat(self, known: _Known) -> None:
        """Give a gang the workers that it lacks, once there are enough of them."""
        for seat in known.gang.seats:
            if seat.phase == "given" and dask.waits(self._scheduler, seat.key):  # its worker has just begun to leave
                known.gang.refused(seat)
        if known.gang.elastic:
            known.gang.have(known.idle())
        empty = known.gang.empty
        if not all(dask.waits(self._scheduler, seat.key) for seat in empty):
            return  # they are on their way
        free = self._free(known.group)
        if len(free) < len(empty):
            known.say_what_lacks(len(empty) - len(free))
            return
        chosen = sorted(free[: len(empty)], key=lambda worker: (worker.host, len(str(worker.name)), str(worker.name)))
        for seat, worker in zip(empty, chosen, strict=True):
            known.gang.given(seat, worker.address)
            dask.give_seat(self._scheduler, seat.key, worker.address)
        self._keep_listening()


def _send(scheduler: Scheduler, run: LiveRun, worker: str, do: str, **what: Any) -> None:
    """Tell a worker's seat in a run what to do (`GangSeat.obey`)."""
    scheduler.worker_send(worker, {"op": "mlops-gang", "run": run.state.id, "do": do, **what})


def _trial_of(run: LiveRun, key: str) -> int | None:
    """The trial of a sweep whose seat has that key; None of a run that is a gang itself."""
    return int(key.rpartition("-")[2]) // run.state.seats if run.state.kind == "sweep" else None


class _Known:
    """A gang with its run; does what the gang orders."""

    gang: Gang

    #: What stands before all that it says, and which trial of a sweep it is.
    name: str = "gang"
    trial: int | None = None

    def __init__(
        self,
        scheduler: Scheduler,
        run: LiveRun,
        fail: Callable[[LiveRun, str], None],
        mark: Callable[[LiveRun], None],
        idle: Callable[[str], int],
    ) -> None:
        self._scheduler, self.run, self._fail, self._mark = scheduler, run, fail, mark
        self.group = run.state.group or ""
        hang = run.state.options.get("hang")
        self.steps = StepWatch(float(hang) if isinstance(hang, (int, float)) else None)
        self._idle = idle
        self._since = time.monotonic()
        self._said = 0
        #: Keys of seats whose tasks have ended.
        self.left: set[str] = set()

    @property
    def workers(self) -> list[str]:
        """The addresses of the workers that it has."""
        return [seat.worker for seat in self.gang.seats if seat.worker]

    def show_ranks(self) -> None:
        """Tell who watches the run how its ranks do."""
        self.run.state.ranks = self.steps.states
        self.run.seconds_left = self.steps.left
        self._mark(self.run)

    def order(self, seat: SeatState, do: str, **what: Any) -> None:
        """As `Hands.order`."""
        if do == "start":
            name = getattr(self._scheduler.workers.get(seat.worker), "name", "")
            self.steps.begin(seat.ranks, str(name))
        if seat.worker in self._scheduler.workers:
            _send(self._scheduler, self.run, seat.worker, do, **what)

    def say(self, text: str) -> None:
        """As `Hands.say`."""
        self._since, self._said = time.monotonic(), 0
        self._print(text)

    def _print(self, text: str) -> None:
        self.run.log(time.time(), kind="print", text=f"[{self.name}] {text}\n", stream="stderr")

    def fail(self, error: str) -> None:
        """As `Hands.fail`."""
        if self.run.state.phase not in FINAL:
            self._fail(self.run, error)

    def end_without(self, seats: list[SeatState]) -> None:
        """As `Hands.end_without`."""
        self.run.over |= {seat.key for seat in seats}

    def idle(self) -> int:
        """As `Hands.idle`."""
        return self._idle(self.group)

    def began(self, attempt: int, world: int, resume: dict[str, Any] | None) -> None:
        """As `Hands.began`."""
        self.tell_of_attempt(attempt, world)
        self.steps.clear()
        self.show_ranks()
        if attempt > 1 or resume is not None:
            self.run.curves.begin(attempt, -1 if resume is None else resume["step"], self.trial)
        if resume is not None:
            age = span(max(0.0, time.time() - resume["time"]))
            whose = "" if resume["ours"] else " of an earlier run, which had not come to its end; --fresh begins anew"
            self.say(f"It goes on from step {resume['step']}: a checkpoint, {age} old,{whose}".rstrip(","))
        self._mark(self.run)

    def tell_of_attempt(self, attempt: int, world: int) -> None:
        """The run's state is about to have another attempt."""
        if world != self.run.state.total:
            self.say(f"It begins with {count(world, 'rank')}")
        self.run.state.attempt, self.run.state.total = attempt, world

    def keep(self, step: int, best: float | None, size: int) -> None:
        """A checkpoint is complete."""
        self.run.state.checkpoint = Checkpoint(step=step, best=best, size=size, time=time.time())
        self.run.write()  # whoever runs it again after the scheduler's end looks for it
        self._mark(self.run)

    def say_what_lacks(self, number: int) -> None:
        """That the gang waits for so many workers; once for each number."""
        if number != self._said and time.monotonic() - self._since > SILENCE:
            lacks = f"{count(number, 'worker')} of {self.group!r} {'is' if number == 1 else 'are'} not free yet"
            self._print(f"{lacks}: its ranks start together, or not at all")
            self._said = number


class _OfTrial(_Known):
    """A gang that is a trial of a sweep: what happens to it is the trial's, and not the run's."""

    trial: int

    def __init__(
        self,
        scheduler: Scheduler,
        run: LiveRun,
        fail: Callable[[LiveRun, str], None],
        mark: Callable[[LiveRun], None],
        idle: Callable[[str], int],
        trial: int,
    ) -> None:
        super().__init__(scheduler, run, fail, mark, idle)
        self.trial, self.name = trial, f"trial {trial}"

    def show_ranks(self) -> None:
        """As `_Known.show_ranks`: a sweep shows its trials."""

    def tell_of_attempt(self, attempt: int, world: int) -> None:
        """As `_Known.tell_of_attempt`."""

    def keep(self, step: int, best: float | None, size: int) -> None:
        """As `_Known.keep`."""

    def fail(self, error: str) -> None:
        """As `Hands.fail`: the trial has failed, and its seats are let go."""
        if self.run.state.phase in FINAL:
            return
        self.run.trial_failed(self.trial, error)
        for seat in self.gang.seats:
            self.order(seat, "finish", blame=None, seats=len(self.gang.seats))
