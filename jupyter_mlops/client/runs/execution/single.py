"""Executes a cell or a function: one task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....controller.runs.install import kept_results, without_results
from ....core.errors import RunFailed
from ....core.run import RunPhase, RunState
from ...clusters.session import Session
from ...send.payload import RunPayload
from .channel import Channel
from .exceptions import exception_of
from .execution import Execution
from .items import single
from .outcomes import changed, todo
from .tasks import TaskLost

if TYPE_CHECKING:
    from distributed import Future


class OneTask(Execution):
    """A run of one task."""

    def __init__(self, session: Session, state: RunState, payload: RunPayload, channel: Channel) -> None:
        super().__init__(session, state, payload, channel)
        #: What the task gave, also where it raised; None until then, and for detached runs.
        self.given: dict[str, Any] | None = None
        #: With keep: futures of what the cell assigned, by name.
        self.kept_names: dict[str, Future[Any]] = {}
        self._last: Future[Any]

    async def work(self) -> tuple[RunPhase, str]:
        """As `Execution.work`."""
        future = self.tasks.send(single(), 0)
        if self.state.detached:
            await self.tasks.plan(1, 1)
            return "running", ""
        given = await self._with_inputs(future)
        self.display(given.get("displays", []))
        if self.payload.head["keep"] and not given.get("errors"):
            for name in given["names"] or [None]:
                key = f"mlkept-{self.state.id}-{name or 'value'}"
                kept = self.session.client.submit(kept_results, self._last, name, key=key, pure=False)
                self.kept_names[name or ""] = kept
        self.given = given
        self._say_left(given.get("left", []), given.get("held", []))
        errors = given.get("errors")
        if not errors:
            return "done", ""
        return self._failed("run", errors[0], errors[0]["error"])

    def _failed(self, noun: str, record: dict[str, Any], why: str) -> tuple[RunPhase, str]:
        """How the run ends with the error of this record of its code's; `why` says it in words."""
        self.error = RunFailed(f"The {noun} {self.state.name!r} failed", why, todo(record, self.state.variables))
        self.error.__cause__ = exception_of(record)
        return "failed", why

    def _say_left(self, names: list[str], held: list[str]) -> None:
        if held:
            stayed = "What classes and functions hold themselves doesn't come back"
            self.channel.say(f"{changed(held)} on the worker; here it is as it was. {stayed}.")
        if names:
            todo = "--out names what comes back"
            if self.state.kind == "function":
                todo = "What is to come back must be returned"
            elif self.payload.head["keep"]:
                todo = "Without --keep it comes back"
            self.channel.say(f"{changed(names)} on the worker; here it is as it was. {todo}.")

    async def _known(self, future: Future[Any]) -> dict[str, Any]:
        """The outcome of the task; without its results, when these are to stay on the cluster."""
        self._last = future
        if self.payload.head["keep"]:
            key = f"mlkept-{self.state.id}-known"
            future = self.session.client.submit(without_results, future, key=key, pure=False)
        return await self.tasks.outcome(future)

    async def _with_inputs(self, future: Future[Any]) -> dict[str, Any]:
        bigs = self.tasks.bigs
        try:
            return await self._known(future)
        except TaskLost:
            if not await self.tasks.put_again(self.payload, everywhere=False, lost=bigs):
                raise
        return await self._known(self.tasks.send(single(1), 1))
