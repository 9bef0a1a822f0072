"""What a link asks of the book of runs: handlers on the scheduler, named `mlops_*_run`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from ...core.base import Seconds, read_record
from ...core.errors import InvalidInput, Unavailable, UnknownRun
from ...core.run import FINAL, RunPhase, RunState
from ...core.waiting import until_set
from ..answers import answering
from .liverun import LiveRun
from .runbook import RunBook, sentence
from .stopping import RunEvent

if TYPE_CHECKING:
    from distributed import Scheduler

#: The Dask client that wants the results of detached runs, in the kernel's place.
HOLDER = "mlops-runs"

#: Seconds that a plan waits for the tasks of a detached run; who sent many asks again.
ARRIVAL: Seconds = 5.0


class RunHandlers:
    """Opens, plans, closes, cancels and watches runs.

    Parameters
    ----------
    event : is told of runs that were cancelled.
    check_alive : raises `ClusterEnded` when no run may begin any more.
    """

    def __init__(self, scheduler: Scheduler, book: RunBook, event: RunEvent, check_alive: Callable[[], None]) -> None:
        self._scheduler, self._book, self._event, self._check_alive = scheduler, book, event, check_alive

    def install(self) -> None:
        """Answer links from now on."""
        handlers: dict[str, Callable[..., Any]] = {
            "mlops_open_run": self._open,
            "mlops_plan_run": self._plan,
            "mlops_close_run": self._close,
            "mlops_cancel_run": self._cancel,
            "mlops_watch_run": self._watch,
            "mlops_run_parts": self._parts,
        }
        self._scheduler.handlers.update({name: answering(handler) for name, handler in handlers.items()})

    def _page(self, run: str) -> LiveRun:
        page = self._book.get(run)
        if page is None:
            raise UnknownRun.named(run, [])
        page.seen = time.time()
        return page

    async def _open(self, run: dict[str, Any]) -> dict[str, Any]:
        self._check_alive()
        state = read_record(RunState, run, "run")
        page = self._book.get(state.id) or self._book.open(state)
        return page.snapshot().model_dump()

    async def _plan(self, run: str, total: int | None, keys: Collection[str] | None = None) -> None:
        self._check_alive()
        page = self._page(run)
        page.state.total = total
        if keys is not None:
            await self._have_come(keys)
        if keys is not None and page.live:
            self._scheduler.client_desires_keys(keys=list(keys), client=HOLDER)
            page.state.detached = True
            page.planned = set(keys)
            page.over |= {key for key in keys if self._is_over(key)}
            self._book.end_if_over(page)
        page.write()
        self._book.mark(page)

    async def _have_come(self, keys: Collection[str]) -> None:
        """Wait for the tasks, which travel by another way than the plan."""
        deadline = time.monotonic() + ARRIVAL
        missing = set(keys)
        while missing := {key for key in missing if key not in self._scheduler.tasks}:
            if time.monotonic() > deadline:
                raise Unavailable(f"{len(missing)} of {len(keys)} tasks have not arrived yet", "", "Try again.")
            await asyncio.sleep(0.005)

    def _is_over(self, key: str) -> bool:
        ts = self._scheduler.tasks.get(key)
        return ts is not None and ts.state in ("memory", "erred")

    async def _close(self, run: str, phase: RunPhase, error: str = "") -> dict[str, Any]:
        page = self._page(run)
        if phase not in FINAL:
            raise InvalidInput(f"A run can't end as {phase!r}", todo=f"It ends as one of {', '.join(sorted(FINAL))}.")
        self._book.end(page, phase, error)
        return page.snapshot().model_dump()

    async def _cancel(self, run: str, why: str = "") -> None:
        page = self._page(run)
        if page.live:
            self._book.end(page, "cancelled", f"RunCancelled: {sentence(why or 'it was cancelled')}")
            self._event(f"{page.state.name} was cancelled", run, None)

    async def _watch(self, run: str, since: int, timeout: Seconds = 20.0) -> dict[str, Any]:
        page = self._page(run)
        deadline = time.monotonic() + min(max(timeout, 0.0), 60.0)
        while page.seq <= since and page.live and (left := deadline - time.monotonic()) > 0:
            page.changed.clear()
            if not await until_set(page.changed, left):
                break
            await until_set(page.ended, 0.01)  # what comes at once is told at once
        page.seen = time.time()
        entries = [entry.model_dump(exclude_defaults=True) for entry in page.journal.since(since)]
        return {"seq": page.seq, "run": page.snapshot().model_dump(), "entries": entries}

    async def _parts(self, run: str) -> dict[str, int]:
        return self._book.results.parts(self._page(run))
