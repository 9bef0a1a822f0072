"""Executes a sweep: asks for settings, sends a task for each trial, hears what trials report, and stops in time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from ....controller.link import RunView
from ....core.errors import RunFailed
from ....core.run import RunPhase, RunState
from ....core.sweep import Trial, TrialReport, best_of
from ....core.waiting import end_tasks, until_set
from ....core.words import exact_money, span
from ....home.runs import run_folder
from ...clusters.session import Session
from ...send.payload import RunPayload
from ...send.pickling import pack_items
from ..sweeps.plan import SweepPlan
from . import items as parts
from .channel import Channel
from .exceptions import exception_of
from .execution import Execution
from .outcomes import values_of
from .tasks import TaskLost

if TYPE_CHECKING:
    from distributed import Future

#: Seconds between two looks at the money and the time.
LOOK = 1.0

#: Seconds between two looks at how many threads there are.
THREADS = 2.0


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
        self._flying: dict[asyncio.Task[tuple[Trial, dict[str, Any] | None]], int] = {}
        self._reports: list[TrialReport] = []
        self._news = asyncio.Event()
        #: Trials that changed since they were written down.
        self._changed: list[Trial] = list(plan.known)
        #: What the first trial that failed raised.
        self._raised: BaseException | None = None

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
            stopped = [self._end(number, "stopped") for number in self._flying.values()]
            await end_tasks(*self._flying)
            for trial in stopped:
                await self.plan.sampler.tell(trial)
            await self._write()
        if self.best is None and self._raised is not None:
            error = RunFailed(
                f"The sweep {self.state.name!r} failed", "all of its trials did", "Look at the first one."
            )
            error.__cause__ = self._raised
            self.error = error
            return "failed", f"all trials failed; the first one: {self._raised!r:.300}"
        if why:
            self.channel.say(f"[The sweep has stopped: {why}]")
        return "done", why

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
            while self._next in self.trials:
                self._next += 1
            if self._next >= self.plan.total:
                return ""
            if not self.plan.affords(self._cost, self._ended, len(self._flying)):
                return f"its budget of {self._budget} has no room for another trial"
            number, self._next = self._next, self._next + 1
            params = await self.plan.sampler.ask(number)
            trial = Trial(number=number, params=params, began=time.time())
            self._change(trial)
            task = asyncio.create_task(self._try(trial))
            self._flying[task] = number
            task.add_done_callback(lambda _: self._news.set())
        return ""

    async def _look_for_room(self) -> None:
        """As many trials at once as there are threads. The next ones wait there already, unless each of them counts:
        for money, or for what is drawn after them."""
        if self.plan.at_once is not None:
            self._room = self.plan.at_once
        elif time.monotonic() - self._looked >= THREADS:
            threads = await self.tasks.threads()
            ahead = self.plan.budget is None and self.plan.draws_ahead
            self._room, self._looked = threads * (3 if ahead else 1), time.monotonic()

    async def _try(self, trial: Trial) -> tuple[Trial, dict[str, Any] | None]:
        """Send a trial, and wait for it. Returns how it ended, and the record of its error."""
        packed = pack_items([trial.params], trial.number)
        part = parts.part(trial.number, trial.number, 1, packed, None)
        try:
            outcome = await self.tasks.insist(part, trial.number, self.payload, self._outcome)
        except TaskLost as lost:
            if type(lost.__cause__).__name__ != "KilledWorker":
                raise
            return self._as_it_ended(trial.number, phase="failed", error=str(lost)), None
        self.display(outcome.get("displays", []))
        began = time.time() - outcome["seconds"]  # it may have waited for a thread
        self.trials[trial.number] = self.trials[trial.number].model_copy(update={"began": began})
        if outcome.get("broken"):
            raise _Broken(outcome["errors"][0])
        if outcome["errors"]:
            first = outcome["errors"][0]
            return self._as_it_ended(trial.number, phase="failed", error=first["error"]), first
        (given,) = values_of(outcome)
        return self._as_it_ended(trial.number, **given), None

    async def _outcome(self, future: Future[Any]) -> dict[str, Any]:
        outcome = await self.tasks.outcome(future)
        self.tasks.drop(future)
        return outcome

    def _as_it_ended(self, number: int, **what: Any) -> Trial:
        return self.trials[number].model_copy(update={**what, "ended": time.time()})

    def _end(self, number: int, phase: str) -> Trial:
        trial = self._as_it_ended(number, phase=phase)
        self._change(trial)
        return trial

    def _change(self, trial: Trial) -> None:
        self.trials[trial.number] = trial
        self._changed.append(trial)

    async def _take_landed(self) -> None:
        """Take in how trials ended."""
        better = None
        for task in [task for task in self._flying if task.done()]:
            trial, failure = await self._result_of(task)
            del self._flying[task]
            self._ended += 1
            self._change(trial)
            await self.plan.sampler.tell(trial)
            if trial.phase == "failed" and self._raised is None:
                self._raised = exception_of(failure) if failure else RunFailed(trial.error)
                self.channel.say(f"[trial {trial.number} failed: {trial.error}]")
            if best_of([trial, *([self.best] if self.best else [])], self.plan.goal) is trial:
                better = self.best = trial
        if better is not None:
            await self._tell_best(better)

    async def _result_of(self, task: asyncio.Task[tuple[Trial, dict[str, Any] | None]]) -> tuple[Trial, Any]:
        try:
            return await task
        except _Broken as broken:
            self._raised = exception_of(broken.record)
            raise RunFailed(f"The sweep {self.state.name!r} can't begin", broken.record["error"]) from self._raised

    async def _hear_reports(self) -> None:
        """Take in what trials reported, and end those that are behind."""
        reports, self._reports = self._reports, []
        flying = set(self._flying.values())
        behind = []
        for report in reports:
            if report.trial not in flying:
                continue
            self.trials[report.trial] = self.trials[report.trial].model_copy(
                update={"value": report.value, "reports": report.count}
            )
            if await self.plan.sampler.prunes(report):
                behind.append(report.trial)
        if behind:
            await self.session.link.prune_trials(self.state.id, sorted(set(behind)))

    async def _tell_best(self, trial: Trial) -> None:
        assert trial.value is not None
        await self.session.link.note_best(self.state.id, trial.value, trial.params)

    async def _write(self) -> None:
        """Write down what changed."""
        changed, self._changed = self._changed, []
        if changed:
            await asyncio.to_thread(self._folder.add_to_trials, changed)


class _Broken(Exception):
    """The code can't be loaded on a worker: no trial can be executed."""

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__(record["error"])
        self.record = record
