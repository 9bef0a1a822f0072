"""A run, as its user holds it."""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ...core.errors import Conflict, NotReady, RunError
from ...core.ladder import Ladder
from ...core.price import Cost
from ...core.run import FINAL, ItemError, RunState
from ...core.sizing import AdviceList
from ...core.stack import PythonStack, PythonStacks
from ...home.models import versions_of_run
from ..clusters.handle import cluster
from ..clusters.kernel import kernel, loop_thread
from .execution.channel import Channel
from .execution.execution import Execution
from .execution.mapping import MapExecution
from .execution.outcomes import error_of_state, item_error
from .execution.result_buffer import Results
from .execution.single import OneTask
from .results import Fetched, load_parts
from .view import Plain, Quiet, View

if TYPE_CHECKING:
    from distributed import Client

    from .curves import RunCurves

#: Seconds between two looks while nothing is heard.
TICK = 0.1


class Run:
    """A run under way, or one that was: made by `mlops.run`, `mlops.map`, `mlops.get_run` and `%%mlrun`.

    Parameters
    ----------
    quiet : whether waiting for it shows no prints.

    Attributes
    ----------
    id : 12 hexadecimal digits; `mlops.get_run(id)` finds the run from any kernel.
    """

    def __init__(self, execution: Execution, quiet: bool = False) -> None:
        self._execution = execution
        self._quiet = quiet
        self._channel: Channel = execution.channel
        self._driving: Future[None] | None = None
        self._serving = threading.Lock()
        self._fetched: Fetched | None = None
        self._client: Client | None = None
        self.id = execution.state.id

    def start(self) -> None:
        """Send it on its way. Called once, by who made it."""
        self._driving = loop_thread().spawn(self._execution.main())

    def check(self) -> None:
        """Raise what went wrong before a detached run was on its way."""
        if self._execution.error is not None:
            raise self._execution.error

    # What it is

    @property
    def record(self) -> RunState:
        """Everything that is known of it now."""
        return self._execution.state

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    @property
    def versions(self) -> list[str]:
        """The versions of models that it made, by name: ["churn@3"]."""
        return [version.name for version in versions_of_run(self.id)]

    @property
    def cluster(self) -> str:
        """The name of its cluster."""
        return self.record.cluster

    @property
    def state(self) -> str:
        """starting, running, done, failed, cancelled or lost."""
        return self.record.phase

    @property
    def cost(self) -> Cost:
        """What it cost until now: the seconds of worker threads that it used, at the cluster's price."""
        return self.record.cost

    @property
    def errors(self) -> list[ItemError]:
        """The items of a map that raised."""
        own = getattr(self._execution, "errors", None)
        if own:
            return list(own)
        if self.record.kept and self.state in FINAL and self.record.failed:
            return [item_error(record) for part in load_parts(self.id) for record in part["errors"]]
        return list(self.record.errors)

    @property
    def curves(self) -> RunCurves:
        """What it logged, by metric, step by step and rank by rank, until now: `run.curves["loss"].values`. All points
        that its folder has; of a cluster elsewhere, those that its controller has."""
        from .curves import curves_of

        return curves_of(self.record)

    def advice(self) -> AdviceList:
        """Which workers would have done for it, or are worth a try where memory ran out: from what it used. Empty while
        it goes on, where it was measured for less than a minute, and where no other workers are known to be better."""
        return AdviceList(self.record.advice)

    def ladder(self) -> Ladder | None:
        """What its first items said of other numbers of workers, and which one was chosen: shows itself as a table.
        None for a run that tries no sizes."""
        return self.record.ladder

    def stacks(self) -> PythonStacks:
        """Where its code is at this moment: the Python stack of each of its processes, also of one that is blocked in C
        code. Of a gang, of each rank. Empty when it is over.

        Raises
        ------
        ClusterUnreachable, ClusterEnded : nobody can say.
        VersionMismatch : an older version started its cluster, which doesn't know how.
        """
        if self.record.phase in FINAL:
            return PythonStacks()
        return PythonStacks(loop_thread().call(_stacks(self.record)))

    @property
    def futures(self) -> list[Any]:
        """With keep: Dask futures of the results, in order; each is a list of results."""
        kept = getattr(self._execution, "kept", {})
        return [kept[start] for start in sorted(kept)]

    # What it gives

    def wait(self, timeout: float | None = None, view: View | None = None) -> None:
        """Wait until it is over, showing its prints.

        Raises
        ------
        NotReady : it isn't after `timeout` seconds; it goes on. It is a `TimeoutError`, too.
        """
        view = view or self._view()
        deadline = None if timeout is None else time.monotonic() + timeout
        seen = 0
        while not self._channel.over.is_set():
            left = TICK if deadline is None else min(TICK, deadline - time.monotonic())
            if left <= 0:
                raise NotReady(f"The run {self.name!r} is still {self.state}", "", "It goes on: ask for it again.")
            seen = self._channel.wait(seen, left)
            self._serve()
            view.show(*self._channel.take())
        view.show(*self._channel.take())
        view.end(self.record)

    def result(self, timeout: float | None = None, view: View | None = None) -> Any:
        """What it gave, once it is over: the value of a function or cell, the list of a map's results.

        Raises
        ------
        RunFailed, ItemsFailed : the code raised; the cause is chained.
        RunCancelled, RunTimeout, RunLost
        NotReady : it isn't over after `timeout` seconds; it goes on. It is a `TimeoutError`, too.
        """
        self.wait(timeout, view)
        self._raise()
        return self._value()

    def results(self) -> Iterator[Any]:
        """The results of a map, in the items' order, as they come. A generator's results are given once.

        Of a gang: what each rank gave, in their order."""
        if self.record.kind == "gang":
            self.wait()
            self._raise()
            yield from (Fetched.value_of(given) for given in self.of_ranks())
            return
        if self.record.kind != "map":
            raise Conflict(f"The run {self.name!r} is no map", "it has one result", "Use result().")
        if self._execution.state.detached:
            yield from self._detached_results()
            return
        assert isinstance(self._execution, MapExecution)
        buffer, position, seen = self._execution.buffer, 0, 0
        view = self._view()
        while True:
            over = self._channel.over.is_set()
            values = buffer.since(position)
            for value in values:
                position += 1
                yield value
            if over and not values:
                break
            if not values:
                self._serve()
                seen = self._channel.wait(seen, TICK)
            view.show(*self._channel.take())
        view.show(*self._channel.take())  # what came with the end
        self._raise()

    def prints(self) -> str:
        """Everything that it printed so far."""
        from .journal import entries_of

        return "".join(entry.text for entry in entries_of(self.record) if entry.kind == "print")

    def cancel(self, why: str = "") -> None:
        """Stop its code on all workers. A no-op when it is over."""
        if self.state not in FINAL:
            loop_thread().call(self._execution.cancel(why or "it was cancelled by its user"))

    def _view(self) -> View:
        return Quiet() if self._quiet else Plain()

    def _serve(self) -> None:
        """Only one thread reads the user's iterator."""
        if self._serving.acquire(blocking=False):
            try:
                self._channel.serve()
            finally:
                self._serving.release()

    def _raise(self) -> None:
        error = self._execution.error
        if error is None and self.state not in ("done", "running", "starting"):
            error = error_of_state(self.record)
        if error is not None:
            raise error

    def _value(self) -> Any:
        if self.record.detached:
            return self._fetch().value()
        if isinstance(self._execution, MapExecution):
            if self._execution.kept:
                return self.bag()
            if self._execution.buffer.streamed:
                raise Conflict(
                    f"The results of {self.name!r} are gone",
                    "they were streamed, and its items came from a generator, so they weren't kept",
                    "Keep those you need while you stream them.",
                )
            return Results(self._execution.buffer.all())
        assert isinstance(self._execution, OneTask)
        given = self._execution.given or {}
        return Fetched.value_of(given)

    def bag(self) -> Any:
        """With keep: a `dask.bag` of the results, which stay on the cluster. A kernel without a Dask client gets one of
        the run's cluster, so that the bag computes there."""
        import dask.bag
        from distributed.client import default_client

        try:
            default_client()
        except ValueError:
            self._client = cluster(self.record.ran_on).client()
        return dask.bag.from_delayed(self.futures)

    @property
    def given(self) -> dict[str, Any]:
        """What the task of a cell or function gave, as plain data."""
        if self.record.detached:
            return self._fetch().given
        return getattr(self._execution, "given", None) or {}

    def of_ranks(self) -> list[dict[str, Any]]:
        """What each rank of a gang gave, as plain data."""
        if self.record.detached:
            return self._fetch().of_ranks
        others = getattr(self._execution, "of_others", {})
        return [self.given, *(others[rank] for rank in sorted(others))]

    def kept_names(self) -> dict[str, Any]:
        """With keep: Dask futures of what a cell assigned, by name."""
        return dict(getattr(self._execution, "kept_names", {}))

    def _fetch(self) -> Fetched:
        if self._fetched is None:
            self._fetched = Fetched(self.record)
        return self._fetched

    def _detached_results(self) -> Iterator[Any]:
        seen = 0
        fetched = self._fetch()
        while True:
            over = self._channel.over.is_set()
            values = fetched.more()
            yield from values
            if over and not values:
                break
            if not values:
                seen = self._channel.wait(seen, TICK)
            self._channel.take()
        self._raise()
        yield from fetched.rest()

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.name!r}: {self.state}>"

    def _repr_html_(self) -> str:
        from ..words import PLAIN, sentence

        style = "color:var(--jp-ui-font-color2,#616161)"
        return (
            f"<div class='{PLAIN}'><b>{html.escape(self.name)}</b> <code>{self.id}</code><br>"
            f'<span style="{style}">{html.escape(sentence(self.record))}</span></div>'
        )


async def _stacks(record: RunState) -> list[PythonStack]:
    session = await kernel().sessions.open(record.ran_on)
    return await session.link.run_stacks(record.id)


__all__ = ["Run", "RunError", "View"]
