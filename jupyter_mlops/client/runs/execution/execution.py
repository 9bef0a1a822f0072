"""Executes a run from this process: sends its tasks, takes their results, and tells the cluster how the run ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import Any

from ....controller.link import RunView
from ....core.errors import (
    ClusterEnded,
    ClusterUnreachable,
    MlopsError,
    RunError,
    RunFailed,
    RunLost,
    UnknownCluster,
    UnknownRun,
)
from ....core.run import FINAL, RunPhase, RunState
from ....core.waiting import end_tasks
from ...clusters.kernel import kernel
from ...clusters.problems import ProblemsSaid
from ...clusters.session import Session
from ...send.payload import RunPayload
from ..copies import UNASKED, Copy, bring_home
from .channel import Channel, Display
from .outcomes import error_of_state
from .tasks import GIVEN_UP, TaskLost, Tasks

#: What is shown, at most, of that which a run's code displays.
DISPLAYS = 100

logger = logging.getLogger("jupyter_mlops")

#: Seconds that a cluster may be silent before its place is asked about it: a scheduler may start again, an API server
#: too, a laptop may be carried home.
SILENT = 3.0


#: How often so many seconds are waited for what a run that is over has printed, while the cluster answers.
REST = 10

#: More than any run's news: who has heard so much of it is told how it is, and no more.
ALL = 2**53

#: Seconds between two looks at what is wrong with the cluster, while a run waits.
LOOK = 2.0


class Execution:
    """What the executions of all kinds of runs have in common. Each kind implements `work`.

    Parameters
    ----------
    session : the cluster.
    state : the run as it is to be opened.
    payload : its code and variables.
    channel : where prints and progress go.
    """

    #: Seconds after which the cluster tells of the run again, though nothing changed but its cost.
    watched = 20.0

    def __init__(self, session: Session, state: RunState, payload: RunPayload, channel: Channel) -> None:
        self.session, self.state, self.payload, self.channel = session, state, payload, channel
        self.error: BaseException | None = None
        #: Set once a detached run needs this process no more.
        self.sent = threading.Event()
        self.tasks = Tasks(session, state.id, state.group)
        self._copy = Copy(state.id) if session is not None and not session.backend.writes_home else None
        #: Since when the cluster doesn't answer, on the loop's clock.
        self._silent_since: float | None = None
        self._displayed = 0
        #: Set once the cluster knows of the run, or never will.
        self._opened = asyncio.Event()

    async def main(self) -> None:
        """Execute the run from its start to its end. Raises nothing: `error` says what went wrong."""
        saying = asyncio.create_task(self._say_what_keeps_it())
        try:
            await self._open()
            await self._race()
            await self._bring_result()
        except (ClusterUnreachable, ClusterEnded) as error:
            self._mark_lost(str(error))
        except RunError as error:
            self.error = error
        except MlopsError as error:
            self.error = error
            await self._close("failed", str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours, or of Dask: it is shown, never swallowed
            self.error = RunFailed(f"The run {self.state.name!r} failed", f"{type(error).__name__}: {error}")
            self.error.__cause__ = error
            await self._close("failed", str(self.error))
        except asyncio.CancelledError:  # the process ends
            self._mark_lost("The process that drove it has ended")
        finally:
            saying.cancel()
            self._opened.set()
            self.tasks.let_go()
            self.sent.set()
            out_of_sight = self.state.detached and self.state.phase == "lost"  # nothing is known of it
            if self._copy is not None and not out_of_sight:
                self._copy.take(self.state, [])
                await self._copy.written()
            if self.state.phase in FINAL and not out_of_sight:
                kernel().tell(self.state)
            self.channel.put(self.state, [])
            self.channel.end()

    async def work(self) -> tuple[RunPhase, str]:
        """Send the tasks and take their results. Returns how the run ended, and its error as text."""
        raise NotImplementedError

    def hear(self, view: RunView) -> None:
        """The cluster told of the run."""

    def display(self, shown: list[dict[str, Any]]) -> None:
        """Show what a task's code displayed, up to a number."""
        room = max(0, DISPLAYS - self._displayed)
        self.channel.put(None, [Display(**each) for each in shown[:room]])
        if self._displayed <= DISPLAYS < self._displayed + len(shown):
            self.channel.say(f"[{DISPLAYS} things are shown; the run displays more]")
        self._displayed += len(shown)

    async def cancel(self, why: str) -> None:
        """Stop the run's code on all workers, as soon as the cluster knows of the run. A no-op when it is over."""
        await self._opened.wait()
        if self.error is None and self.state.phase not in FINAL:
            await self.session.link.cancel_run(self.state.id, why)

    async def _say_what_keeps_it(self) -> None:
        """While no worker computes, say what is wrong with the cluster: whoever waits for a cell looks here."""
        said = ProblemsSaid()
        while True:
            await asyncio.sleep(LOOK)
            with contextlib.suppress(MlopsError):  # `_watch` says that it doesn't answer
                state = (await self.session.link.view(workers=False)).state
                for sentence in said.new(state) if not state.counts.busy else ():
                    self.channel.say(sentence)

    async def _open(self) -> None:
        opened = await self.session.link.open_run(self.state, self.session.client.id)
        self._opened.set()
        self._update(opened)
        if self._copy is not None:
            self._copy.take(self.state, [])
        kernel().tell(self.state)

    async def _race(self) -> None:
        """Work until it is done, or until the cluster says that the run is over."""
        watching = asyncio.create_task(self._watch())
        working = asyncio.create_task(self._do())
        try:
            await asyncio.wait({watching, working}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                await self._finish_stopped(watching, working)
                return
            try:
                phase, error = working.result()
            except TaskLost as lost:  # the watcher knows better, if it is the cluster's doing
                if await self._has_ended_there(watching):
                    await self._finish_stopped(watching, working)
                    return
                phase, error = "failed", str(lost)
                self.error = RunFailed(f"The run {self.state.name!r} failed", str(lost))
            if phase not in FINAL:  # detached: the cluster ends it
                self.tasks.let_go()
                self.sent.set()
                await asyncio.wait({watching})
                await self._finish_stopped(watching, working)
            else:
                await self._close(phase, error)
                await self._hear_the_rest(watching)
        finally:
            self.tasks.stopping = True
            await end_tasks(watching, working)

    async def _do(self) -> tuple[RunPhase, str]:
        """Send what all tasks share, then work. Big variables wait for a worker: that can be cancelled, too."""
        await self.tasks.prepare(self.payload, everywhere=self.state.kind in ("map", "gang", "sweep"))
        return await self.work()

    async def _hear_the_rest(self, watching: asyncio.Task[None]) -> None:
        """Take in what it printed last. A cluster that is busy may take long to tell it; one that is silent won't."""
        for _ in range(REST):
            done, _ = await asyncio.wait({watching}, timeout=SILENT)
            if done or self._silent_since is not None:
                return

    async def _has_ended_there(self, watching: asyncio.Task[None]) -> bool:
        """Whether the watcher hears within a moment that the run has ended, or as soon as the cluster has told it all.
        One that is silent gets more time."""
        done, _ = await asyncio.wait({watching}, timeout=SILENT + 1.0)
        while not done and (self._silent_since is not None or await self._is_over_there()):
            done, _ = await asyncio.wait({watching}, timeout=0.5)
        return bool(done)

    async def _is_over_there(self) -> bool:
        """Whether the cluster says that the run is over, or nothing: of that the watcher hears, too."""
        try:
            return (await self.session.link.watch_run(self.state.id, ALL, 0.0)).run.phase in FINAL
        except MlopsError:
            return True

    async def _bring_result(self) -> None:
        """Bring the result of a detached run home from another place while the cluster lives, unless the result is
        large."""
        if self._copy is None or not self.state.detached or self.state.phase != "done":
            return
        try:
            if await bring_home(self.session, self.state.id, UNASKED):
                self.state = self.state.model_copy(update={"kept": True})
        except MlopsError as error:  # whoever asks for it tries again
            logger.info("The result of %s wasn't fetched: %s", self.state.id, error)

    async def _finish_stopped(self, watching: asyncio.Task[None], working: asyncio.Task[Any]) -> None:
        self.tasks.stopping = True
        await end_tasks(working)
        watching.result()  # raises when the cluster is gone
        if self.state.phase != "done":
            self.error = error_of_state(self.state)

    async def _watch(self) -> None:
        """Follow the run's journal until it is over."""
        seq = 0
        while True:
            try:
                view = await self.session.link.watch_run(self.state.id, seq, self.watched)
            except UnknownRun as error:
                raise ClusterUnreachable("The cluster forgot the run", str(error)) from error
            except ClusterUnreachable as error:
                await self._retry_or_raise(error)
                continue
            self._silent_since = None
            seq = view.seq
            self._update(view.run)
            if self._copy is not None:
                await self._copy.take_points(self.session, last=view.run.phase in FINAL)
                self._copy.take(self.state, view.entries)
            self.channel.put(self.state, view.entries)
            self.hear(view)
            if view.run.phase in FINAL:
                return

    async def _retry_or_raise(self, silence: ClusterUnreachable) -> None:
        """Wait a little, since the cluster is silent; raise `silence` when the cluster is gone or silent for too
        long."""
        now = asyncio.get_running_loop().time()
        self._silent_since = self._silent_since or now
        if now - self._silent_since > GIVEN_UP or (now - self._silent_since > SILENT and await self._is_gone()):
            raise silence
        await asyncio.sleep(0.2)

    async def _is_gone(self) -> bool:
        """Whether the cluster's place says that it has ended; a place that is silent, too, says nothing."""
        try:
            state = await self.session.backend.get(self.session.id)
        except UnknownCluster:
            return True
        except MlopsError:
            return False
        return state.phase in ("ended", "stopping")

    def _update(self, state: RunState) -> None:
        self.state = state.told_by(self.session.name, self.session.id)

    async def _close(self, phase: RunPhase, error: str) -> None:
        try:
            self._update(await self.session.link.close_run(self.state.id, phase, error))
        except (ClusterUnreachable, ClusterEnded, UnknownRun) as lost:
            if phase == "done":  # the results are here: only the last word on the cost is missing
                self._update(self.state.model_copy(update={"phase": phase}))
            else:
                self._mark_lost(str(lost))

    def _mark_lost(self, why: str) -> None:
        self.state = self.state.model_copy(update={"phase": "lost", "error": f"RunLost: {why}"})
        self.error = RunLost(
            f"The run {self.state.name!r} is lost", why.rstrip("."), "Start another cluster and run it again."
        )
