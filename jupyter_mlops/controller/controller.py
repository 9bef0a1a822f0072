"""The controller: composed by a place's scheduler program, it keeps the cluster at what its spec says.

controller = Controller(scheduler, spec, pool, folder)
await rpc.serve(controller)   # after the scheduler listens: links are answered, workers come
await scheduler.finished()    # the controller closes the scheduler when the cluster is to end
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.base import Seconds, Time
from ..core.cluster import ClusterSpec, EndCause, Problem, Receipt
from ..core.costs import Share
from ..core.errors import UnknownWorker
from ..core.price import HostPrice
from . import environment
from .changes import ChangeTracker
from .dashboard import Dashboard, close_open_pages
from .disk import Disk, Opener, open_private
from .ending import Ending
from .events import Events
from .ledger_file import LedgerFile
from .limits import Deadline
from .plugin import Watcher
from .pool import Pool
from .pulse import Pulse
from .runs.restored import Restored, runs_in
from .runs.results import Results
from .runs.runbook import RunBook
from .runs.runrpc import RunHandlers
from .runs.states import RUNS, Runs
from .timeline import Timeline
from .view import View
from .workers.reporter import Reporter
from .workers.roster import Roster
from .workers.scaling import Scaling

if TYPE_CHECKING:
    from distributed import Scheduler

#: Seconds between two heartbeats of the ledger's file, and between two tries to write to a full disk.
BEAT: Seconds = 1.0


class Controller:
    """Keeps a cluster at what its spec says, and ends it when a limit says so.

    Parameters
    ----------
    scheduler : the Dask scheduler, listening or about to.
    spec : what was asked for.
    pool : makes and ends workers.
    folder : where the ledger and the other records go; None keeps none.
    earlier : what an earlier scheduler of this cluster told last, beside what is in the folder.
    dashboard_host : the address that Dask's dashboard listens on.
    host_seen : is given the name of each host that workers run on; `price_host` is the answer.
    clock : seconds since the epoch.
    opener : opens the records, as `os.open`.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        spec: ClusterSpec,
        pool: Pool,
        folder: Path | None,
        *,
        earlier: Restored | None = None,
        dashboard_host: str = "127.0.0.1",
        host_seen: Callable[[str], None] = lambda host: None,
        clock: Callable[[], Time] = time.time,
        opener: Opener = open_private,
    ) -> None:
        profile = spec.profile
        self.scheduler, self.spec, self._pool, self._clock = scheduler, spec, pool, clock
        self._earlier = earlier or Restored()
        self._disk = Disk(folder, opener)
        self._changes = ChangeTracker(clock)
        self._events = Events(self._disk, self._changes, clock)
        self._book = LedgerFile(self._disk, spec, clock, host_seen)
        groups = {group.name: group for group in profile.groups}
        self._pulse = Pulse(self._tick, self._failed)
        self._reporter = Reporter(groups, self._book, self._events, self._pulse)
        self.roster = Roster(profile.groups, self._changes, self._reporter, clock)
        self.scaling = self._reporter.scaling = Scaling(
            scheduler, pool, self.roster, profile.groups, profile.limits, self._say, clock
        )
        self.timeline = Timeline(self._disk, clock())
        self.runs = Runs(self._disk, self._changes)
        self._watcher = Watcher(self.roster, lambda: self._ending.scheduler_closes())
        self.dashboard = Dashboard(scheduler, dashboard_host)
        self._deadline = Deadline(
            scheduler, profile.limits, self._events.began or clock(), lambda: self.runs.live, clock
        )
        self.view = View(
            scheduler,
            spec,
            self._changes,
            self.roster,
            self.scaling,
            self._watcher,
            self._events,
            self.timeline,
            self.runs,
            self._disk,
            self._book,
        )
        self._ending = Ending(scheduler, spec.name, pool, self._disk, self._changes, self.view, self._last_things)
        self._beaten = 0.0
        self._runbook = self._compose_runs(folder)

    async def start(self) -> None:
        """Take over the cluster: from here on workers come, and runs may begin."""
        again = self._events.began is not None
        close_open_pages(self.scheduler)
        self.scheduler.add_plugin(self._watcher)
        for ws in list(self.scheduler.workers.values()):
            self.roster.joined(ws)
        await self._start_runs()
        await self._pool.start(self.scheduler.address, self.roster.take)
        self._book.settle([member.name for member in self.roster.members.values() if member.held])
        self.scaling.resume(self._book.earlier, self._earlier.groups if again else None)
        self.view.started = self._deadline.started
        self._events.add("cluster", "The scheduler started again" if again else "The cluster started")
        self._pulse.start()

    def scale(self, workers: int, group: str | None = None, now: bool = False) -> None:
        """Want this many workers by hand. Raises as `Link.scale`."""
        self.check_alive()
        self.scaling.scale(workers, group, now)
        self._used()

    def adapt(self, minimum: int, maximum: int, group: str | None = None) -> None:
        """Let the number of workers follow the work. Raises as `Link.adapt`."""
        self.check_alive()
        self.scaling.adapt(minimum, maximum, group)
        self._used()

    def price_host(self, host: str, price: HostPrice) -> None:
        """This is what a host costs that workers run on, or may run on."""
        self._book.price_host(host, price)

    async def wait(self, since: int, timeout: Seconds, workers: bool) -> None:
        """Return when there is something to tell after `since`, or after `timeout` seconds."""
        if not self._ending.begun:
            nouns = {"state", "event", "run"} | ({"worker"} if workers else set())
            await self._changes.wait(since, nouns, timeout)  # type: ignore[arg-type]  # a set of literals

    async def logs(self, worker: str | None, lines: int) -> list[str]:
        """The last lines of a worker's log, or of the scheduler's. Raises `UnknownWorker`."""
        if worker is None:
            entries = self.scheduler.get_logs(n=lines)
            return [text for _, text in reversed(entries)]
        found = await self._pool.logs(worker, lines)
        if not found and worker not in self.roster.members:
            raise UnknownWorker.named(worker, self.roster.members)
        return found

    def check_alive(self) -> None:
        """Raise `ClusterEnded` when the cluster is ending."""
        self._ending.check()

    def stop_soon(self, cause: EndCause = "user", why: str = "") -> None:
        """Begin to end the cluster. A no-op when it is ending."""
        self._ending.begin(cause, why)

    async def stop(self, cause: EndCause = "user", why: str = "") -> None:
        """End the cluster, and return when its workers are gone and its records are written."""
        self._ending.begin(cause, why)
        await self._ending.wait()

    def _tick(self, hurried: bool = False) -> None:
        now = self._clock()
        self.roster.refresh()
        self.scaling.reconcile()
        self._reporter.flush()
        self._heed_place()
        self._beat(now)
        self._check_limits()
        if self.view.phase == "starting" and (self._reporter.any_joined or not self.scaling.wanted):
            self.view.phase = "running"
        if self.timeline.due(now):
            self.timeline.add(self.view.sample(now))
        self.view.refresh()
        if hurried:
            self._changes.hurry()

    def _failed(self, error: Exception) -> None:
        what, todo = "The cluster's controller has a fault", "Look at the scheduler's log."
        self.view.fault = Problem(what=what, why=repr(error), todo=todo)

    def _heed_place(self) -> None:
        before, now = self.view.trouble, self._pool.problem
        self.view.trouble = now
        if now is not None and (before is None or before.what != now.what):
            self._events.add("problem", now.what, problem=now)
        elif now is None and before is not None:
            self._events.add("cluster", f"Over: {before.what}")

    def _beat(self, now: Time) -> None:
        if abs(now - self._beaten) >= BEAT:
            self._beaten = now
            self._book.beat()
            self._disk.retry()

    def _check_limits(self) -> None:
        view, cost = self.view, self._book.cost()
        view.idle_since = self._deadline.idle_since()
        view.stop = self._deadline.next(view.idle_since, cost)
        if view.stop is not None and view.stop.at <= self._clock():
            self.stop_soon(view.stop.cause, self._deadline.reason(view.stop, cost))

    def _used(self) -> None:
        self._deadline.touch()
        self.view.refresh()

    def _say(self, text: str, problem: Problem | None) -> None:
        self._events.add("problem" if problem else "scale", text, problem=problem)

    def _compose_runs(self, folder: Path | None) -> RunBook:
        return RunBook(
            self.scheduler,
            folder.parent.parent / "runs" if folder else None,
            self.spec,
            shape=self.view.shape,
            share=self._share,
            changed=self.runs.changed,
            event=self._run_event,
            replace=self.scaling.replace,
            results=Results(self.scheduler, self._disk),
        )

    async def _start_runs(self) -> None:
        book = self._runbook
        self.runs.book = book
        await book.start()
        before = runs_in(self._disk.read(RUNS), self._earlier.runs)
        self.runs.restore(before)
        book.restore(before)
        environment.install(self.scheduler)
        RunHandlers(self.scheduler, book, self._run_event, self.check_alive).install()

    def _run_event(self, text: str, run: str, problem: Problem | None) -> None:
        self._events.add("run", text, run=run, problem=problem)

    def _share(self, address: str) -> Share | None:
        """One thread of a worker."""
        member = self.roster.at(address)
        return None if member is None else self._book.share(member.name, max(1, member.threads))

    async def _last_things(self, cause: EndCause, why: str) -> Receipt:
        """Give up runs and changes of the workers, and close the books."""
        self._pulse.stop()
        self._events.add("limit" if cause in ("idle", "lifetime", "budget") else "cluster", _farewell(cause, why))
        self.view.refresh()
        await self.scaling.close()
        await self._runbook.close(why or f"the cluster was stopped ({cause})")
        self.roster.refresh()
        self._reporter.flush()
        self.timeline.add(self.view.sample(self._clock()))
        self._book.close_all()
        return self._book.receipt(cause, why, self._watcher.done, len(self.runs.states))


def _farewell(cause: EndCause, why: str) -> str:
    return f"The cluster stops ({cause}){': ' + why if why else ''}"
