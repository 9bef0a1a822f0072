"""Executes a sweep: asks for settings, sends a task for each trial, hears what trials report, and stops in time."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from ....controller.link import RunView
from ....core.errors import MlopsError, RunFailed
from ....core.run import RunPhase, RunState
from ....core.sweep import Trial, TrialReport, best_of
from ....core.waiting import end_tasks, to_the_end, until_set, wait_for
from ....core.words import exact_money, span
from ....home.runs import run_folder
from ...clusters.session import Session
from ...send.payload import RunPayload
from ...send.pickling import pack_items
from ..sweeps.plan import SweepPlan
from . import items as parts
from .batches import BUDGET, Plan
from .channel import Channel
from .exceptions import exception_of
from .execution import Execution
from .fit import workers_of
from .gang import outcomes_of_seats
from .outcomes import values_of
from .tasks import TaskLost

if TYPE_CHECKING:
    from distributed import Future

#: Seconds between two looks at the money and the time.
LOOK = 1.0

#: Seconds that are waited for why a trial was ended of which no rank can tell.
PATIENCE = 10.0

#: Seconds between two looks at how many threads there are.
THREADS = 2.0

#: Seconds that trials take which are sent together: a task's own cost is next to nothing of it.
TOGETHER = 0.2


#: A trial that ended, and the record of its error.
_Ended = tuple[Trial, dict[str, Any] | None]


class SweepExecution(Execution):
    """A sweep, driven from this process.

    Parameters
    ----------
    session, state, payload, channel : as of `Execution`.
    plan : what it is to do.
    """

    #: Its cost grows while nothing else changes.
    watched = LOOK

    def __init__(
        self, session: Session, state: RunState, payload: RunPayload, channel: Channel, plan: SweepPlan
    ) -> None:
        super().__init__(session, state, payload, channel)
        self.plan = plan
        self.trials: dict[int, Trial] = {trial.number: trial for trial in plan.known}
        self.best: Trial | None = best_of(plan.known, plan.goal)
        self._folder = run_folder(state.id)
        self._began = time.monotonic()
        self._looked = -THREADS
        self._room = 1
        self._next = self._ended = 0
        #: Trials of each task that is under way; and those that a task had no time for.
        self._flying: dict[asyncio.Task[list[_Ended]], list[Trial]] = {}
        self._returned: deque[Trial] = deque()
        #: How many trials a task has, by what they took; and whether one has reported a value before its end.
        self._sizes = Plan(plan.total, TOGETHER)
        self._reported = False
        self._reports: list[TrialReport] = []
        self._news = asyncio.Event()
        #: Trials that changed since they were written down.
        self._changed: list[Trial] = list(plan.known)
        #: How often trials that are under way had reported when that was written down last.
        self._noted: dict[int, int] = {}
        #: What the first trial that failed raised.
        self._raised: BaseException | None = None
        #: Of trials that are gangs: gets the error of one that no rank can tell of.
        self._lost: dict[int, asyncio.Future[str]] = {}
        #: Trials that are over, and whose checkpoints are still there.
        self._saved: set[int] = set()

    def hear(self, view: RunView) -> None:
        """As `Execution.hear`."""
        if view.reports:
            self._reports += view.reports
            self._news.set()

    async def work(self) -> tuple[RunPhase, str]:
        """As `Execution.work`."""
        await asyncio.to_thread(self._folder.make)
        try:
            if self.best is not None:
                await self._tell_best(self.best)
            why = await self._drive()
        finally:
            await to_the_end(self._stop())
        if self.best is None and self._raised is not None:
            error = RunFailed(
                f"The sweep {self.state.name!r} failed", "all of its trials did", "Look at the first one."
            )
            error.__cause__ = self._raised
            self.error = error
            return "failed", f"all trials failed; the first one: {type(self._raised).__name__}: {self._raised!s:.300}"
        return "done", why

    async def _stop(self) -> None:
        """End the trials that are under way, and write down how all are."""
        left = [*self._returned, *(trial for trials in self._flying.values() for trial in trials)]
        await end_tasks(*self._flying)
        for trial in left:
            stopped = self._as_it_ended(trial.number, phase="stopped")
            self._change(stopped)
            await self.plan.sampler.tell(stopped)
        await self._write()

    async def _drive(self) -> str:
        """Have trials executed until there are no more. Returns what ended the sweep early, in words."""
        while True:
            why = self._over()
            if why:
                return why
            held = await self._send_some()
            await self._write()
            if not self._flying:
                return held
            await until_set(self._news, LOOK)
            self._news.clear()
            await self._hear_reports()
            await self._take_landed()

    def _over(self) -> str:
        """Why all of it ends now."""
        if self.plan.is_spent(self._cost):
            return f"its budget of {self._budget} is spent"
        if self.plan.seconds is not None and time.monotonic() - self._began >= self.plan.seconds:
            return f"its time of {span(self.plan.seconds)} is over"
        return ""

    @property
    def _cost(self) -> float:
        return self.state.cost.amount or 0.0

    @property
    def _budget(self) -> str:
        return exact_money(self.plan.budget or 0.0, self.state.cost.currency)

    async def _send_some(self) -> str:
        """Send as many trials as there is room for. Returns why no more begin, though there are more."""
        await self._look_for_room()
        while len(self._flying) < self._room:
            if not self.plan.affords(self._cost, self._ended, len(self._flying)):
                return f"its budget of {self._budget} has no room for another trial"
            trials = [trial for _ in range(self._size()) if (trial := await self._next_trial()) is not None]
            if not trials:
                return ""
            task = asyncio.create_task(self._try(trials))
            self._flying[task] = trials
            task.add_done_callback(lambda _: self._news.set())
        return ""

    @property
    def _alone(self) -> bool:
        """Whether each trial is sent by itself, when there is room for it."""
        return self.plan.counts_each or self.state.in_gangs

    def _size(self) -> int:
        """How many trials the next task has: one, unless they are short and report nothing on their way."""
        if self._alone or self._reported or not self._sizes.measured:
            return 1
        return self._sizes.size(self.plan.total - self._next, self._room)

    async def _next_trial(self) -> Trial | None:
        """The next one to be tried; None when there are no more."""
        if self._returned:
            return self._returned.popleft()
        while self._next in self.trials:
            self._next += 1
        if self._next >= self.plan.total:
            return None
        number, self._next = self._next, self._next + 1
        trial = Trial(number=number, params=await self.plan.sampler.ask(number), began=time.time())
        self._change(trial)
        return trial

    async def _look_for_room(self) -> None:
        """As many trials at once as there are threads. The next ones wait there already, unless each of them counts:
        for money, or for what is drawn after them."""
        if self.plan.at_once is not None:
            self._room = self.plan.at_once
        elif time.monotonic() - self._looked >= THREADS:
            if self.state.in_gangs:
                self._room = max(1, await self._workers() // self.state.seats)
            else:
                self._room = await self.tasks.threads() * (1 if self.plan.counts_each else 3)
            self._looked = time.monotonic()

    async def _workers(self) -> int:
        """The workers that gangs may have: those that there are, or that there can be where they come as needed."""
        here = len(await workers_of(self.session, self.state.group))
        groups = (await self.session.link.view(workers=False)).state.groups
        most = [group.maximum for group in groups if group.name == self.state.group and group.adaptive]
        return max([here, *most])

    async def _try(self, trials: list[Trial]) -> list[_Ended]:
        """Send trials, and wait for them. Returns how they ended; fewer where the task had no time for all."""
        first = trials[0].number
        packed = pack_items([(trial.number, trial.params) for trial in trials], first)
        try:
            outcome = await (self._as_gang(first, packed) if self.state.in_gangs else self._as_task(trials, packed))
        except TaskLost as lost:
            if not isinstance(lost, _TrialLost) and type(lost.__cause__).__name__ != "KilledWorker":
                raise
            return [(self._as_it_ended(trial.number, phase="failed", error=str(lost)), None) for trial in trials]
        self.display(outcome.get("displays", []))
        if outcome.get("broken"):
            raise _Broken(outcome["errors"][0])
        failures = {failure["index"] - first: failure for failure in outcome["errors"]}
        ended: list[_Ended] = []
        at = time.time() - outcome["seconds"]  # they may have waited for a thread
        for position, (trial, given) in enumerate(zip(trials, values_of(outcome), strict=False)):
            failure = failures.get(position)
            how = {"phase": "failed", "error": failure["error"]} if failure else dict(given)
            began, at = at, at + how.pop("seconds", 0.0)
            if len(trials) == 1:
                at = time.time()
            ended.append((self.trials[trial.number].model_copy(update={**how, "began": began, "ended": at}), failure))
        return ended

    async def _as_task(self, trials: list[Trial], packed: bytes) -> dict[str, Any]:
        """What a task gives that has these trials. Raises `TaskLost`."""
        first = trials[0].number
        part = parts.part(first, first, len(trials), packed, None if self.plan.counts_each else BUDGET)
        return await self.tasks.insist(part, first, self.payload, self._outcome)

    async def _as_gang(self, number: int, packed: bytes) -> dict[str, Any]:
        """What a trial gives whose ranks are on several workers: what rank 0 does, and the errors of all. Raises
        `TaskLost`."""
        seats = self.state.seats
        first = number * seats
        given = [parts.seat_of_trial(first + seat, seat, number, packed) for seat in range(seats)]
        futures = self.tasks.send_seats(given, first=first)
        lost = self._lost[number] = asyncio.get_running_loop().create_future()
        ended = asyncio.create_task(outcomes_of_seats(self.tasks, futures))
        try:
            await asyncio.wait({ended, lost}, return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                raise _TrialLost(lost.result())
            outcomes = ended.result()
            if not any(outcome["n"] for outcome in outcomes):  # its seats were let go; why may be heard a little later
                raise _TrialLost(await _heard(lost))
        finally:
            del self._lost[number]
            await end_tasks(ended)
            for future in futures:
                self.tasks.drop(future)
        errors = [error for outcome in outcomes for error in outcome["errors"]]
        if seats * self.state.per_worker > 1:
            errors = [{**error, "error": f"{error['item']}: {error['error']}"} for error in errors]
        values = outcomes[0].get("values") or pickle.dumps([None])
        known = {"start": number, "values": values, "errors": errors}
        return {**outcomes[0], **known, "seconds": max(each["seconds"] for each in outcomes)}

    async def _outcome(self, future: Future[Any]) -> dict[str, Any]:
        outcome = await self.tasks.outcome(future)
        self.tasks.drop(future)
        return outcome

    def _as_it_ended(self, number: int, **what: Any) -> Trial:
        return self.trials[number].model_copy(update={**what, "ended": time.time()})

    def _change(self, trial: Trial) -> None:
        self.trials[trial.number] = trial
        self._changed.append(trial)

    async def _take_landed(self) -> None:
        """Take in how trials ended."""
        before = self.best
        for task in [task for task in self._flying if task.done()]:
            ended = await self._result_of(task)
            self._returned.extend(self._flying.pop(task)[len(ended) :])
            self._sizes.measure(len(ended), sum((trial.ended or trial.began) - trial.began for trial, _ in ended))
            for trial, failure in ended:
                await self._take(trial, failure)
        if self.best is not None and self.best is not before:
            await self._tell_best(self.best)
        await self._forget()

    async def _forget(self) -> None:
        """Have the checkpoints removed of trials that are over, but for the best one's."""
        gone = self._saved - {self.best.number if self.best is not None else -1}
        if gone:
            self._saved -= gone
            with contextlib.suppress(MlopsError):  # the cluster is of a version that keeps them all
                await self.session.link.forget_trials(self.state.id, sorted(gone))

    async def _take(self, trial: Trial, failure: dict[str, Any] | None) -> None:
        self._ended += 1
        if self.state.checkpoints:
            self._saved.add(trial.number)
        self._noted.pop(trial.number, None)
        self._change(trial)
        await self.plan.sampler.tell(trial)
        if trial.phase == "failed" and self._raised is None:
            self._raised = exception_of(failure) if failure else RunFailed(trial.error)
            self.channel.say(f"[trial {trial.number} failed: {trial.error}]")
        self.best = best_of([trial, *([self.best] if self.best else [])], self.plan.goal)

    async def _result_of(self, task: asyncio.Task[list[_Ended]]) -> list[_Ended]:
        try:
            return await task
        except _Broken as broken:
            self._raised = exception_of(broken.record)
            raise RunFailed(f"The sweep {self.state.name!r} can't begin", broken.record["error"]) from self._raised

    async def _hear_reports(self) -> None:
        """Take in what trials reported, and end those that are behind."""
        reports, self._reports = self._reports, []
        flying = {trial.number for trials in self._flying.values() for trial in trials}
        self._reported = self._reported or any(not report.error for report in reports)
        behind = []
        for report in reports:
            if report.error:
                if (lost := self._lost.get(report.trial)) is not None and not lost.done():
                    lost.set_result(report.error)
                continue
            if report.trial not in flying:
                continue
            self._note(report)
            if await self.plan.sampler.prunes(report):
                behind.append(report.trial)
        if behind:
            await self.session.link.prune_trials(self.state.id, sorted(set(behind)))

    def _note(self, report: TrialReport) -> None:
        """How good a trial is so far. It is written down whenever it has reported twice as often as the last time: so
        others see it, and the file stays small."""
        trial = self.trials[report.trial].model_copy(update={"value": report.value, "reports": report.count})
        self.trials[report.trial] = trial
        if report.count >= 2 * self._noted.get(report.trial, 0):
            self._noted[report.trial] = report.count
            self._changed.append(trial)

    async def _tell_best(self, trial: Trial) -> None:
        assert trial.value is not None
        await self.session.link.note_best(self.state.id, trial.value, trial.params)

    async def _write(self) -> None:
        """Write down what changed."""
        changed, self._changed = self._changed, []
        if changed:
            await asyncio.to_thread(self._folder.add_to_trials, changed)


async def _heard(lost: asyncio.Future[str]) -> str:
    try:
        return await wait_for(lost, PATIENCE)
    except asyncio.TimeoutError:
        return "it was ended, and none of its ranks can tell why"


class _TrialLost(TaskLost):
    """A trial that is a gang has failed, and no rank can tell of it."""


class _Broken(Exception):
    """The code can't be loaded on a worker: no trial can be executed."""

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__(record["error"])
        self.record = record
