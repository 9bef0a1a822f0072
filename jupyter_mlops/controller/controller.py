"""The controller: composed by a place's scheduler program, it keeps the cluster at what its spec says.

controller = Controller(scheduler, spec, pool, folder)
await rpc.serve(controller)   # after the scheduler listens: links are answered, workers come
await scheduler.finished()    # the controller closes the scheduler when the cluster is to end
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.account import AccountState, AccountStore, nearest
from ..core.base import Seconds, Time
from ..core.cluster import ClusterSpec, EndCause, Problem, Receipt
from ..core.costs import Share
from ..core.errors import Conflict, UnknownWorker
from ..core.extend import LimitChange
from ..core.price import HostPrice
from ..core.spot import Due, SpotTerms
from ..home.clusters import RUNS
from . import dask, environment
from .changes import ChangeTracker
from .dashboard import Dashboard
from .disk import Disk, Opener, open_private
from .events import Events
from .ledger_file import LedgerFile
from .lifecycle import Lifecycle
from .plugin import ClusterPlugin
from .pool import Pool
from .pulse import Pulse
from .runs.handlers import RunHandlers
from .runs.registry import RunRegistry
from .runs.restored import Restored, runs_in
from .runs.results import DetachedResults
from .runs.states import RunStates
from .till import Till
from .timeline import Timeline
from .view import StateView
from .workers.ondemand import OnDemand
from .workers.registry import WorkerRegistry
from .workers.reporter import WorkerReporter
from .workers.scaling import Scaling
from .workers.spending import Spending
from .workers.spot import SpotGroups
from .workers.waste import WasteWatch

if TYPE_CHECKING:
    from distributed import Scheduler

#: Seconds between two heartbeats of the ledger's file, and between two tries to write to a full disk.
HEARTBEAT: Seconds = 1.0


class Controller:
    """Keeps a cluster at what its spec says, and ends it when a limit says so.

    Parameters
    ----------
    scheduler : the Dask scheduler, listening or about to.
    spec : what was asked for.
    pool : makes and ends workers.
    folder : where the ledger and the other records go; None keeps none.
    earlier : what an earlier scheduler of this cluster said last, beside what is in the folder.
    dashboard_host : the address that Dask's dashboard listens on.
    host_seen : gets the name of each host that workers run on; `price_host` is the answer.
    accounts : has the accounts that the spec names; None where the place keeps none.
    wall : gives what the administrator's wall says that an account leaves the cluster; None while it says nothing.
    spot : how long workers of spot groups wait for spot nodes; None where there are none.
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
        accounts: AccountStore | None = None,
        wall: Callable[[], AccountState | None] = lambda: None,
        spot: SpotTerms | None = None,
        clock: Callable[[], Time] = time.time,
        opener: Opener = open_private,
    ) -> None:
        profile = spec.profile
        self.scheduler, self.spec, self._pool, self._clock = scheduler, spec, pool, clock
        self._earlier = earlier or Restored()
        self._disk = Disk(folder, opener)
        self._changes = ChangeTracker(clock)
        self.events = Events(self._disk, self._changes, clock)
        self.ledger = LedgerFile(self._disk, spec, clock, host_seen)
        self.workers = WorkerRegistry(profile.groups, self._changes, clock)
        self._on_demand = OnDemand(self.workers, self.ledger, self.events)
        self.spot = SpotGroups(profile.groups, spot, self.workers, self._on_demand.turned, clock)
        self.scaling = Scaling(
            scheduler, pool, self.workers, profile.groups, profile.limits, self._announce, clock, self.spot
        )
        self._waste = WasteWatch(
            scheduler,
            self.workers,
            self._changes,
            lambda name: self.ledger.share(name, 1),
            spec.price,
            self.scaling.spare,
        )
        self.pulse = Pulse(self.look, self._failed)
        self._reporter = WorkerReporter(profile.groups, self.ledger, self.events, self.scaling, self.pulse)
        self.workers.subscribe(self._reporter)
        self._spending = Spending(self._disk, self.ledger, clock)
        self.workers.subscribe(self._spending)
        self._run_states = RunStates(self._disk, self._changes)
        self.runs = RunRegistry(
            scheduler,
            self._disk,
            spec,
            shape=self.workers.connected,
            share=self._share,
            changed=self._run_states.changed,
            event=self._run_event,
            results=DetachedResults(scheduler, self._disk),
            has_spot=spot is not None,
        )
        self.scaling.needed = self.runs.gangs.needed
        self.spot.due = self._due
        self.lifecycle = Lifecycle(
            scheduler,
            spec,
            pool,
            self.events,
            self._disk,
            self._changes,
            live_runs=lambda: self.runs.live,
            work=lambda: self.runs.work,
            account=lambda: nearest(self.till.state(), wall()),
            close_books=self._close_books,
            clock=clock,
        )
        self.runs.budget = lambda: self.lifecycle.budget
        self.runs.budget_of = self.lifecycle.budget_of_run
        self.till = Till(
            spec,
            accounts,
            clock,
            taken=lambda: self.lifecycle.taken(self.ledger.cost()),
            wanted=lambda: {name: scale.wanted for name, scale in self.scaling.groups.items()},
            life=self.lifecycle.life,
        )
        self.scaling.payable = self.till.payable
        self.plugin = ClusterPlugin(self.workers, self.lifecycle.end_with_scheduler, self._earlier.work)
        self.dashboard = Dashboard(scheduler, dashboard_host)
        self.timeline = Timeline(self._disk, clock())
        self.view = StateView(
            scheduler=scheduler,
            spec=spec,
            lifecycle=self.lifecycle,
            workers=self.workers,
            scaling=self.scaling,
            till=self.till,
            waste=self._waste,
            spending=self._spending,
            tasks=self.plugin,
            ledger=self.ledger,
            runs=self.runs,
            run_states=self._run_states,
            events=self.events,
            timeline=self.timeline,
            disk=self._disk,
            changes=self._changes,
        )
        self._last_heartbeat = 0.0
        #: Who wants more workers by hand: one after the other, each with what the others got.
        self._growing = asyncio.Lock()
        #: What the accounts could not pay for at the last look.
        self._unpaid: Problem | None = None

    async def start(self) -> None:
        """Take over the cluster: from here on workers come, and runs may begin."""
        dask.stop_http_server(self.scheduler)
        self.scheduler.add_plugin(self.plugin)
        for ws in list(self.scheduler.workers.values()):
            self.workers.joined(ws)
        await self._start_runs()
        await self._pool.start(self.scheduler.address, self.workers.apply)
        self.ledger.close_others([worker.name for worker in self.workers.entries.values() if worker.held])
        self.scaling.restore(self.ledger.earlier, self._earlier.groups if self.lifecycle.restarted else None)
        self.lifecycle.start(self._earlier.cause)
        await self.till.open()
        self.pulse.start()

    async def scale(self, workers: int, group: str | None = None, now: bool = False) -> None:
        """Want this many workers by hand. Raises as `Link.scale`."""
        self.lifecycle.check_alive()
        chosen = self.scaling.group(group).group
        async with self._growing:
            await self.till.afford(chosen.name, chosen.check(workers))
            self.lifecycle.check_alive()
            self.scaling.scale(workers, group, now)
        self._used()

    async def adapt(self, minimum: int, maximum: int, group: str | None = None) -> None:
        """Let the number of workers follow the work. Raises as `Link.adapt`."""
        self.lifecycle.check_alive()
        chosen = self.scaling.group(group).group
        async with self._growing:
            await self.till.afford(chosen.name, chosen.check(minimum))
            self.lifecycle.check_alive()
            self.scaling.adapt(minimum, maximum, group)
        self._used()

    def let_go(self, workers: int, group: str | None = None) -> list[str]:
        """Let go of at most so many workers that have long been idle; which. Raises as `Link.let_go`."""
        self.lifecycle.check_alive()
        scale = self.scaling.group(group)
        chosen = self._waste.idle(scale.group.name)[: min(workers, self.scaling.spare(scale.group.name))]
        if not chosen:
            raise Conflict(
                f"No worker of group {scale.group.name!r} is let go",
                "none of them is idle any more, or the group needs them",
                "Scale it by hand to have fewer.",
            )
        self.scaling.let_go(scale.group.name, chosen)
        self._waste.tell()
        self.view.refresh()
        return [entry.name for entry in chosen]

    def change_limits(self, change: LimitChange) -> None:
        """Other limits count from now on, and what was held back by the old ones goes on. Raises as `Link.limit`."""
        self.lifecycle.change_limits(change, self.ledger.cost())
        self._heed_end()
        self._used()

    def price_host(self, host: str, price: HostPrice) -> None:
        """This is what a host costs that workers run on, or may run on."""
        self.ledger.price_host(host, price)

    async def wait(self, since: int, timeout: Seconds, workers: bool) -> None:
        """Return when there is something to tell after `since`, or after `timeout` seconds."""
        if not self.lifecycle.ending:
            nouns = {"state", "event", "run"} | ({"worker"} if workers else set())
            await self._changes.wait(since, nouns, timeout)  # type: ignore[arg-type]  # a set of literals

    async def logs(self, worker: str | None, lines: int) -> list[str]:
        """The last lines of a worker's log, or of the scheduler's. Raises `UnknownWorker`."""
        if worker is None:
            entries = self.scheduler.get_logs(n=lines)
            return [text for _, text in reversed(entries)]
        found = await self._pool.logs(worker, lines)
        if not found and worker not in self.workers.entries:
            raise UnknownWorker.named(worker, self.workers.entries)
        return found

    def stop_soon(self, cause: EndCause = "user", why: str = "") -> None:
        """Begin to end the cluster. A no-op when it is ending."""
        self.lifecycle.begin_end(cause, why)

    async def stop(self, cause: EndCause = "user", why: str = "") -> None:
        """End the cluster, and return when its workers are gone and its records are written."""
        self.lifecycle.begin_end(cause, why)
        await self.lifecycle.wait_ended()

    def look(self, awaited: bool = False) -> None:
        """Look at everything once. `awaited` is whether somebody waits for what this look finds."""
        now = self._clock()
        self.workers.refresh()
        self._waste.look(now)
        self._spending.look(now)
        self.scaling.reconcile()
        self._look_at_money()
        self._reporter.flush()
        self._on_demand.look()
        self.lifecycle.check_place()
        self._send_heartbeat(now)
        self.lifecycle.check_limits(self.ledger.cost(), self.workers.processing > 0)
        self._heed_end()
        if self._reporter.any_joined or not self.scaling.wanted:
            self.lifecycle.run()
        if self.timeline.due(now):
            self.timeline.add(self.view.sample(now))
        self.view.refresh()
        if awaited:
            self._changes.flush_now()

    def _due(self, group: str) -> Due | None:
        scale, threads = self.scaling.groups[group], self.scaling.groups[group].group.threads
        grows = not self.scaling.no_growth
        wanted = self.till.affordable(group, scale.maximum) if scale.adaptive and grows else scale.wanted
        most = self.till.affordable(group, scale.group.maximum) if grows else scale.wanted
        return self.runs.due(group, max(scale.wanted, wanted) * threads, most * threads, self._clock())

    def _heed_end(self) -> None:
        """Act on what its limits leave it."""
        budget = self.lifecycle.budget
        self.scaling.no_growth = "" if budget is None else budget.why_no_growth
        self.scaling.drain(self.lifecycle.draining)
        self.runs.gangs.end_soon(self.lifecycle.ends_soon)

    def _look_at_money(self) -> None:
        """Ask the accounts, if it is time for it, and say what they can't pay for."""
        before = self._unpaid
        self.till.look()
        self._unpaid = self.till.problem
        if self._unpaid is not None and before is None:
            self.events.add("problem", self._unpaid.what, problem=self._unpaid)

    def _failed(self, error: Exception) -> None:
        self.lifecycle.report_fault(error)

    def _send_heartbeat(self, now: Time) -> None:
        if abs(now - self._last_heartbeat) >= HEARTBEAT:
            self._last_heartbeat = now
            self.ledger.heartbeat()
            self._disk.retry()
            self.runs.retry()

    def _used(self) -> None:
        self.lifecycle.touch()
        self.view.refresh()

    def _announce(self, text: str, problem: Problem | None) -> None:
        self.events.add("problem" if problem else "scale", text, problem=problem)

    async def _start_runs(self) -> None:
        await self.runs.start()
        before = runs_in(self._disk.read(RUNS), self._earlier.runs)
        self._run_states.restore(before)
        self.runs.restore(before)
        environment.install(self.scheduler)
        RunHandlers(self.scheduler, self.runs, self._run_event, self.lifecycle.check_alive).install()

    def _run_event(self, text: str, run: str) -> None:
        self.events.add("run", text, run=run)

    def _share(self, address: str) -> Share | None:
        """One thread of a worker."""
        worker = self.workers.at(address)
        return None if worker is None else self.ledger.share(worker.name, max(1, worker.threads))

    async def _close_books(self, cause: EndCause, why: str) -> Receipt:
        """Give up runs and changes of the workers, and close the ledger."""
        self.pulse.stop()
        self.view.refresh()
        await self.scaling.close()
        await self.runs.close(why or f"the cluster was stopped ({cause})")
        self.workers.refresh()
        self._reporter.flush()
        self.timeline.add(self.view.sample(self._clock()))
        self._spending.close(now := self._clock())
        spent = self._spending.keep(now)
        receipt = self.ledger.receipt(cause, why, spent, self.plugin.done, len(self._run_states))
        await self.till.close()
        return receipt
