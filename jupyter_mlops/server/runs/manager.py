"""Runs: what the clusters' controllers tell of them, what their records say, and commands."""

from __future__ import annotations

import asyncio
import contextlib
import time
from logging import Logger
from typing import Any

from ...core.base import Seconds, read_record
from ...core.curve import Curves, CurvesView
from ...core.errors import AmbiguousName, Conflict, InvalidInput, MlopsError, UnknownRun, Unreadable
from ...core.naming import ClusterName
from ...core.operation import Operation
from ...core.run import FINAL, Entry, RunState
from ...core.stack import PythonStack
from ...core.sweep import SweepOptions, TrialsView
from ...core.waiting import until_set
from ...home.runs import run_folder
from ...tracking import history
from ..clusters.watcher import ClusterWatcher
from ..history.keeper import Keeper
from ..operations.manager import OperationManager, Progress
from ..stream.hub import Hub

#: Runs that every browser is told of: the newest, and all that live.
MOST_LISTED = 200

#: Seconds after which a run without a cluster is taken for lost: its cluster may not have been seen yet.
_UNSEEN: Seconds = 60.0

#: Seconds after its end in which a run's cluster knows more than its folder, perhaps.
_WRITING: Seconds = 10.0

#: Runs that are over whose curves are remembered.
_PAST = 16

#: Seconds between two writes of a living run to the history.
_WRITE_EVERY: Seconds = 10.0


class RunManager:
    """The newest state of every run, as the controllers of the clusters that are watched tell of it."""

    def __init__(
        self, hub: Hub, keeper: Keeper, operations: OperationManager, watcher: ClusterWatcher, log: Logger
    ) -> None:
        self._hub, self._keeper, self._operations, self._watcher = hub, keeper, operations, watcher
        self._log = log
        self._records = history.Records()
        self._states: dict[str, RunState] = {}
        self._written: dict[str, float] = {}
        self._removed: set[str] = set()
        #: Curves of runs that are over, as they were read last, and the size of their files.
        self._past: dict[str, tuple[int, Curves]] = {}
        #: Operations that send a run again, by the run and the cluster that was named for it.
        self._repeating: dict[tuple[str, str | None], str] = {}
        self._tick = asyncio.Event()
        watcher.on_run.append(self.take)
        watcher.on_look.append(self._look)

    # What is told.

    def take(self, run: RunState, recorded: bool = False) -> None:
        """News of a run. Its record on disk may be older than what its controller has told: it never goes back. A live
        cluster tells of its last runs again, also of those that were removed.

        `recorded`: it is what this user's own record says. That one knows the run's cluster, and no other can speak for
        the run.
        """
        if run.id in self._removed:
            return
        if run.phase in FINAL and not run.repeatable and history.is_repeatable(run.id):
            run = run.model_copy(update={"repeatable": True})  # its input is here, which a cluster elsewhere can't see
        known = self._states.get(run.id)
        moved = known is not None and known.cluster_id != "" and run.cluster_id not in ("", known.cluster_id)
        if moved and not recorded:
            return
        if known is not None and known.problem is None and not moved:
            stays = _rank(run) < _rank(known)
            if known == run or stays or run.problem is not None:  # what was known says more than a broken record
                return
        self._states[run.id] = run
        self._hub.put("run", run.id, run)
        now = time.monotonic()
        due = run.phase in FINAL or now - self._written.get(run.id, -_WRITE_EVERY) >= _WRITE_EVERY
        if due and run.problem is None:
            self._written[run.id] = now
            self._keeper.put_run(run)
        if known is None:
            self._shorten()
        tick, self._tick = self._tick, asyncio.Event()
        tick.set()

    async def start(self) -> None:
        """Show the runs of the history."""
        await self._forget_removed()
        for run in reversed(await self._keeper.runs(MOST_LISTED)):
            self._states[run.id] = run
            self._hub.put("run", run.id, run)

    async def _look(self, certain: bool) -> None:
        """Read the records that changed, and find runs whose cluster is gone.

        `certain` says that the clusters that are watched are all there are.
        """
        await self._forget_removed()
        for run in await asyncio.to_thread(self._records.changed):
            known = self._states.get(run.id)
            if (
                known is None
                or known.problem is not None
                or _rank(run) > _rank(known)
                or run.phase in FINAL
                or _differ(run, known)
            ):
                self.take(run, recorded=True)
        now, living = time.time(), [run for run in self._states.values() if run.phase not in FINAL]
        self._watcher.runs_live_on({run.cluster_id for run in living})
        for run in living:
            with contextlib.suppress(AmbiguousName):
                seen = self._watcher.find(run.ran_on) is not None or (certain and now - run.created >= _UNSEEN)
                if seen and (gone := history.lost(run, self._watcher.states.values())) is not None:
                    await self._lose(gone)

    async def _lose(self, run: RunState) -> None:
        try:
            await asyncio.to_thread(history.save, run)
        except (MlopsError, OSError) as error:
            self._log.warning("jupyter-mlops: the record of run %s can't be written: %s", run.id, error)
        self.take(run, recorded=True)

    def _shorten(self) -> None:
        over = [run for run in self._states.values() if run.phase in FINAL]
        over.sort(key=lambda run: run.created)
        for run in over[: max(0, len(self._states) - MOST_LISTED)]:
            self._drop(run.id)

    def _drop(self, run: str) -> None:
        if self._states.pop(run, None) is not None:
            self._written.pop(run, None)
            self._hub.put("run", run, None)

    # What is asked.

    async def states(self, cluster: str | None, limit: int) -> list[RunState]:
        """The newest runs of one cluster, as `core.naming` understands it, or of all; newest first."""
        kept = {run.id: run for run in await self._keeper.runs(limit, cluster)}
        kept |= {
            run.id: run for run in self._states.values() if cluster is None or ClusterName.of(cluster).means(run.ran_on)
        }
        return sorted(kept.values(), key=lambda run: run.created, reverse=True)[:limit]

    async def state(self, run: str) -> RunState:
        """One run; raises `UnknownRun`."""
        found = self._states.get(run) or await self._keeper.run(run)
        if found is None:
            try:
                return await asyncio.to_thread(history.get, run)
            except UnknownRun:
                raise UnknownRun.named(run, self._states) from None
        return found

    async def journal(self, run: str, since: int) -> list[Entry]:
        """What it printed and logged after `since`; raises `UnknownRun`."""
        state = await self.state(run)
        return await asyncio.to_thread(run_folder(state.id).journal, since)

    async def curves(self, run: str, since: int, most: int) -> CurvesView:
        """The curves of its metrics that changed after `since`, of at most `most` points each; raises `UnknownRun`."""
        state = await self.state(run)
        if state.phase not in FINAL or time.time() - (state.ended or 0) < _WRITING:
            with contextlib.suppress(MlopsError):  # it is silent, or of a version that knows of no curves
                return await self._watcher.link(state.ran_on).run_curves(state.id, since, most)
        return await asyncio.to_thread(self._past_curves, state, most)

    def _past_curves(self, state: RunState, most: int) -> CurvesView:
        folder = run_folder(state.id)
        stamp = folder.curves_stamp()
        known = self._past.get(state.id)
        if known is None or known[0] != stamp:
            while len(self._past) >= _PAST:
                self._past.pop(next(iter(self._past)), None)
            known = self._past[state.id] = (stamp, folder.drawn_curves())
        curves = known[1] if known[1].keys else Curves.of_last(state.metrics, state.created)
        return curves.view(0, most)

    async def trials(self, run: str, since: int) -> TrialsView:
        """What was asked of a sweep, and its trials that changed after `since`. Who drives it writes them into its
        folder, whatever its cluster.

        Raises `UnknownRun`, and `Conflict` when it is no sweep.
        """
        state = await self.state(run)
        if state.kind != "sweep":
            raise Conflict(f"The run {state.name!r} has no trials", f"it is a {state.kind}", "Only a sweep has some.")
        try:
            sweep = read_record(SweepOptions, state.options)
        except Unreadable:  # of a version that says it in another way: its trials are what they are
            sweep = SweepOptions()
        trials, seq, more = await asyncio.to_thread(run_folder(state.id).trials_after, since)
        return TrialsView(seq=seq, sweep=sweep, trials=trials, more=more)

    async def stacks(self, run: str) -> list[PythonStack]:
        """Where its code is at this moment, process by process; none when it is over. Raises `UnknownRun`,
        `ClusterUnreachable`."""
        state = await self.state(run)
        return [] if state.phase in FINAL else await self._watcher.link(state.ran_on).run_stacks(state.id)

    async def try_sizes(self, run: str) -> None:
        """Have a map that runs try other numbers of workers with its next items. Raises `UnknownRun`, `Conflict` for a
        run that can't, `VersionMismatch`, `Refused`, `ClusterUnreachable`."""
        state = await self.state(run)
        if state.phase in FINAL:
            raise Conflict(f"The run {state.name!r} can't try sizes", f"it is {state.phase}")
        await self._watcher.link(state.ran_on).try_sizes(state.id)

    async def cancel(self, run: str) -> Operation:
        """Stop its code. Raises `UnknownRun`, and `Conflict` when it is over."""
        state = await self.state(run)
        if state.phase in FINAL:
            raise Conflict(f"The run {state.name!r} can't be cancelled", f"it is {state.phase}")
        link = self._watcher.link(state.ran_on)

        async def work(progress: Progress) -> None:
            progress.tell(text="Stopping the code")
            await link.cancel_run(state.id, "cancelled in the sidebar")
            deadline = time.monotonic() + 60
            while self._states.get(state.id, state).phase not in FINAL:
                if time.monotonic() > deadline:
                    raise Conflict(
                        f"The run {state.name!r} hasn't stopped yet",
                        "its code is in a call that can't be interrupted",
                        "It stops when that call returns; stopping the cluster ends it at once.",
                    )
                await self._changed(2.0)

        return self._operations.begin("cancel", state.id, work)

    async def forget(self, run: str) -> None:
        """Remove a run that is over from the history, with all that was kept of it; what MLflow has of it stays.

        Raises `UnknownRun`, and as `history.forget`.
        """
        await asyncio.to_thread(history.forget, await self.state(run))
        await self._forget_removed()

    async def _forget_removed(self) -> None:
        """Tell no more of runs that were removed, here or by another process."""
        for run in await asyncio.to_thread(history.forgotten) - self._removed:
            self._removed.add(run)
            self._keeper.remove_run(run)
            self._drop(run)

    async def again(self, run: str, body: dict[str, Any]) -> Operation:
        """Run it again from its record, detached, on its cluster or another one. Who asks for the same while it is
        being sent gets the same new run: two browsers, or a request that a network repeats, mean one.

        Raises `UnknownRun`, `NotRepeatable`, `UnknownCluster`.
        """
        cluster = body.pop("cluster", None)
        if body or not isinstance(cluster, (str, type(None))):
            raise InvalidInput("This request isn't valid", "only the name of a cluster may be given")
        state = await self.state(run)
        again = await asyncio.to_thread(_again)
        await asyncio.to_thread(again.check, state.id)

        asked = (state.id, cluster)

        async def work(progress: Progress) -> None:
            try:
                progress.tell(text="Sending the code")
                new = await again.again(*asked)
                progress.tell(text=new.note or "Sent", result=new.run.id)
                self.take(new.run)
            finally:
                del self._repeating[asked]

        if asked in self._repeating:
            return self._operations.get(self._repeating[asked])
        operation = self._operations.begin("again", state.id, work)
        self._repeating[asked] = operation.id
        return operation

    async def _changed(self, timeout: Seconds) -> None:
        await until_set(self._tick, timeout)


def _differ(run: RunState, known: RunState) -> bool:
    """Whether the record `run` replaces what is known: that can't be read, or came from another cluster."""
    return known.problem is not None or run.cluster_id not in ("", known.cluster_id)


def _rank(run: RunState) -> int:
    return 2 if run.phase in FINAL else 1 if run.phase == "running" else 0


def _again() -> Any:
    from ...client.runs import again  # Dask and cloudpickle: not before somebody wants it

    return again
