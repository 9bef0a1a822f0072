"""Drives a run from this process: sends its tasks, takes what comes back, and tells the cluster how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import warnings
from typing import TYPE_CHECKING, Any

from ..controller.install import enter, kept_results, without_results
from ..core.errors import (
    ClusterEnded,
    ClusterUnreachable,
    MlopsError,
    RunError,
    RunFailed,
    RunLost,
    Unavailable,
    UnknownCluster,
    UnknownRun,
)
from ..core.run import FINAL, RunPhase, RunState
from . import observers
from .mailbox import Mailbox
from .outcomes import error_of_state, exception_of
from .session import Session
from .shipment import Shipment, head_bytes

if TYPE_CHECKING:
    from distributed import Future

#: Seconds that the tasks of a detached run may take to arrive.
ARRIVAL = 120.0

#: How often a result is asked for, when the connection breaks in between.
GATHERINGS = 3

#: Seconds that a cluster may be silent before its place is asked about it, and before its run is given up: a scheduler
#: may start again, an API server too, a laptop may be carried home.
SILENT, GIVEN_UP = 3.0, 300.0


class TaskLost(Exception):
    """A task can't be had any more; the cluster said why."""


class Drive:
    """What all kinds of runs have in common; `work` is theirs.

    Parameters
    ----------
    session : the cluster.
    state : the run as it is to be opened.
    shipment : its code and variables.
    mailbox : where prints and progress go.
    """

    def __init__(self, session: Session, state: RunState, shipment: Shipment, mailbox: Mailbox) -> None:
        self.session, self.state, self.shipment, self.mailbox = session, state, shipment, mailbox
        self.error: BaseException | None = None
        #: Set once a detached run needs this process no more.
        self.sent = threading.Event()
        #: Whether this process itself gave the run up.
        self.stopping = False
        #: Since when the cluster doesn't answer, on the loop's clock.
        self._silent_since: float | None = None
        self._code = b""
        self._bigs: list[Future[Any]] = []
        self._futures: set[Future[Any]] = set()
        self._sent = 0

    async def main(self) -> None:
        """The whole run. Raises nothing: `error` is how it went wrong."""
        try:
            await self._open()
            await self._race()
        except (ClusterUnreachable, ClusterEnded) as error:
            self._lost(str(error))
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
            self._lost("The process that drove it has ended")
        finally:
            self._let_go()
            self.sent.set()
            observers.ended(self.state)
            self.mailbox.put(self.state, [])
            self.mailbox.end()

    def _let_go(self) -> None:
        for future in self._futures:
            future.release()
        self._futures.clear()

    async def work(self) -> tuple[RunPhase, str]:
        """Send the tasks and take what they give. Returns how the run ended, and its error as text."""
        raise NotImplementedError

    async def cancel(self, why: str) -> None:
        """Stop the run's code on all workers."""
        await self.session.link.cancel_run(self.state.id, why)

    async def _open(self) -> None:
        opened = await self.session.link.open_run(self.state)
        self._take(opened)
        observers.began(opened)
        self._code = head_bytes(self.shipment.head)
        self._bigs = await self.session.put(self.shipment, everywhere=self.state.kind == "map")

    async def _race(self) -> None:
        """Work until it is done, or until the cluster says that the run is over."""
        watching = asyncio.create_task(self._watch())
        working = asyncio.create_task(self.work())
        try:
            await asyncio.wait({watching, working}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                await self._stopped(watching, working)
                return
            try:
                phase, error = working.result()
            except TaskLost as lost:  # the watcher knows better, if it is the cluster's doing
                if await self._said(watching):
                    await self._stopped(watching, working)
                    return
                phase, error = "failed", str(lost)
                self.error = RunFailed(f"The run {self.state.name!r} failed", str(lost))
            if phase not in FINAL:  # detached: the cluster ends it
                self._let_go()
                self.sent.set()
                await asyncio.wait({watching})
                await self._stopped(watching, working)
            else:
                await self._close(phase, error)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(asyncio.shield(watching), SILENT)
        finally:
            self.stopping = True
            for task in (watching, working):
                task.cancel()
            await asyncio.gather(watching, working, return_exceptions=True)

    async def _said(self, watching: asyncio.Task[None]) -> bool:
        """Whether the watcher has news of a run's end within a moment; a cluster that is silent has longer."""
        done, _ = await asyncio.wait({watching}, timeout=SILENT + 1.0)
        while not done and self._silent_since is not None:
            done, _ = await asyncio.wait({watching}, timeout=0.5)
        return bool(done)

    async def _stopped(self, watching: asyncio.Task[None], working: asyncio.Task[Any]) -> None:
        self.stopping = True
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        watching.result()  # raises when the cluster is gone
        if self.state.phase != "done":
            self.error = error_of_state(self.state)

    async def _watch(self) -> None:
        """Follow the run's journal until it is over."""
        seq = 0
        while True:
            try:
                view = await self.session.link.watch_run(self.state.id, seq)
            except UnknownRun as error:
                raise ClusterUnreachable("The cluster forgot the run", str(error)) from error
            except ClusterUnreachable as error:
                await self._bear(error)
                continue
            self._silent_since = None
            seq = view.seq
            self._take(view.run)
            self.mailbox.put(view.run, view.entries)
            if view.run.phase in FINAL:
                return

    async def _bear(self, silence: ClusterUnreachable) -> None:
        """The cluster is silent: wait a little, unless that is for good."""
        now = asyncio.get_running_loop().time()
        self._silent_since = self._silent_since or now
        if now - self._silent_since > GIVEN_UP or (now - self._silent_since > SILENT and await self._is_gone()):
            raise silence
        await asyncio.sleep(0.2)

    async def _is_gone(self) -> bool:
        """Whether the cluster's place says that it has ended; a place that is silent, too, says nothing."""
        try:
            state = await self.session.backend.get(self.session.name)
        except UnknownCluster:
            return True
        except MlopsError:
            return False
        return state.phase in ("ended", "stopping")

    def _take(self, state: RunState) -> None:
        self.state = state

    async def _close(self, phase: RunPhase, error: str) -> None:
        try:
            self._take(await self.session.link.close_run(self.state.id, phase, error))
        except (ClusterUnreachable, ClusterEnded, UnknownRun) as lost:
            if phase == "done":  # the results are here: only the last word on the cost is missing
                self._take(self.state.model_copy(update={"phase": phase}))
            else:
                self._lost(str(lost))

    def _lost(self, why: str) -> None:
        self.state = self.state.model_copy(update={"phase": "lost", "error": f"RunLost: {why}"})
        self.error = RunLost(
            f"The run {self.state.name!r} is lost", why.rstrip("."), "Start another cluster and run it again."
        )

    # Tasks

    def send(self, part: bytes, index: int) -> Future[Any]:
        """Send the task number `index`."""
        resources = {f"group:{self.state.group}": 1} if self.state.group else None
        future: Future[Any] = self.session.client.submit(
            enter,
            self._code,
            part,
            *self._bigs,
            key=self.key(index),
            resources=resources,
            pure=False,
        )
        self._futures.add(future)
        return future

    def send_many(self, parts: list[bytes], first: int) -> None:
        """Send the tasks from number `first` on, in one message: hundreds of messages would hold the scheduler up."""
        resources = {f"group:{self.state.group}": 1} if self.state.group else None
        count = len(parts)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph", category=UserWarning)  # it is items
            futures: list[Future[Any]] = self.session.client.map(
                enter,
                [self._code] * count,
                parts,
                *([big] * count for big in self._bigs),
                key=[self.key(first + number) for number in range(count)],
                resources=resources,
                pure=False,
            )
        self._futures.update(futures)

    async def plan(self, total: int | None, tasks: int) -> None:
        """Hand a detached run to the cluster, once all of its tasks have arrived there."""
        keys = [self.key(index) for index in range(tasks)]
        deadline = asyncio.get_running_loop().time() + ARRIVAL
        while True:
            try:
                return await self.session.link.plan_run(self.state.id, total, keys)
            except ClusterUnreachable:
                raise
            except Unavailable:
                if asyncio.get_running_loop().time() > deadline:
                    raise

    def key(self, index: int) -> str:
        """The key of a task."""
        return f"mlrun-{self.state.id}-{index}"

    async def outcome(self, future: Future[Any]) -> dict[str, Any]:
        """What a task gave.

        Raises
        ------
        TaskLost : it gave nothing.
        """
        for left in range(GATHERINGS - 1, -1, -1):
            try:
                result: dict[str, Any] = await future.result()
                break
            except asyncio.CancelledError:  # ours; or Dask's, whose connection to a worker broke
                if self.stopping:
                    raise
                if not left or future.status == "cancelled":
                    raise TaskLost("the cluster forgot the task") from None
            except Exception as error:  # Dask raises what the task's worker met: it was killed, it lost an input
                raise TaskLost(_words(error)) from error
        if result.get("stopped"):
            raise TaskLost("the task was stopped")
        return result

    async def threads(self) -> int:
        """Threads that may run the tasks now."""
        counts = await self.session.client.nthreads() or {}
        return max(1, int(sum(counts.values())))


def _words(error: Exception) -> str:
    if type(error).__name__ == "KilledWorker":
        return "four workers in a row died while they ran the same task; it may need more memory than they have"
    return f"{type(error).__name__}: {error}"


class OneTask(Drive):
    """A cell or a function: one task."""

    def __init__(self, session: Session, state: RunState, shipment: Shipment, mailbox: Mailbox) -> None:
        super().__init__(session, state, shipment, mailbox)
        #: What the task gave; None until then, and for detached runs.
        self.given: dict[str, Any] | None = None
        #: With keep: futures of what the cell assigned, by name.
        self.kept_names: dict[str, Future[Any]] = {}
        self._last: Future[Any]

    async def work(self) -> tuple[RunPhase, str]:
        """As `Drive.work`."""
        from .items import single

        future = self.send(single(), 0)
        if self.state.detached:
            await self.plan(1, 1)
            return "running", ""
        given = await self._with_inputs(future)
        if self.shipment.head["keep"] and not given.get("errors"):
            for name in given["names"] or [None]:
                key = f"mlkept-{self.state.id}-{name or 'value'}"
                kept = self.session.client.submit(kept_results, self._last, name, key=key, pure=False)
                self.kept_names[name or ""] = kept
        errors = given.get("errors")
        if not errors:
            self.given = given
            return "done", ""
        error = RunFailed(f"The run {self.state.name!r} failed", errors[0]["error"])
        error.__cause__ = exception_of(errors[0])
        self.error = error
        return "failed", errors[0]["error"]

    async def _known(self, future: Future[Any]) -> dict[str, Any]:
        """What the task gave; without its results, when they are to stay there."""
        self._last = future
        if self.shipment.head["keep"]:
            key = f"mlkept-{self.state.id}-known"
            future = self.session.client.submit(without_results, future, key=key, pure=False)
        return await self.outcome(future)

    async def _with_inputs(self, future: Future[Any]) -> dict[str, Any]:
        try:
            return await self._known(future)
        except TaskLost:
            if not any(big.status in ("cancelled", "lost", "error") for big in self._bigs):
                raise
        self._bigs = await self.session.put(self.shipment, everywhere=False, anew=True)
        from .items import single

        return await self._known(self.send(single(1), 1))
