"""A `Link` to the controller in a scheduler's process, with the cluster's TLS keys; answers are read as plain data."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from ..core import errors
from ..core.base import Seconds, Time, read_record
from ..core.cluster import ClusterState, Event, Sample, WorkerState
from ..core.curve import MOST_POINTS, CurveData, CurveLine, CurvesView
from ..core.errors import ClusterUnreachable, MlopsError, Unreadable, VersionMismatch
from ..core.extend import LimitChange
from ..core.ladder import Ladder
from ..core.lines import read_list
from ..core.run import Entry, RunState
from ..core.stack import PythonStack
from ..core.sweep import TrialReport
from ..core.waiting import wait_for
from .link import ClusterView, RunView
from .messages import Messenger

if TYPE_CHECKING:
    from distributed.security import Security

L = TypeVar("L", bound="RemoteLink")

#: Seconds to try to connect, also when the port is closed, as that of a cluster that ended is.
CONNECT: Seconds = 4.0


async def open_link(url: str, security: Security | None = None, timeout: Seconds = 10.0) -> RemoteLink:
    """A link to the controller at `url`, an address like `tls://host:port`.

    `timeout` is for each answer that is not waited for on purpose.

    Raises
    ------
    ClusterUnreachable : nothing answers there, or what answers is no cluster of ours.
    """
    return await answering(RemoteLink(url, security, timeout))


async def answering(link: L) -> L:
    """`link`, once it has answered; it is closed when it doesn't. Raises as `open_link`."""
    try:
        await link.view(workers=False)
    except BaseException:
        await link.close()
        raise
    return link


class RemoteLink:
    """Implements `Link`. Usable from the event loop that made it; several calls may be under way at once."""

    def __init__(self, url: str, security: Security | None = None, timeout: Seconds = 10.0) -> None:
        self.url = url
        self._security = security
        self._timeout = timeout
        self._messenger: Messenger | None = None
        self._closed = False

    async def view(self, workers: bool = True) -> ClusterView:
        """As `Link.view`."""
        return _cluster_view(await self._ask("mlops_view", workers=workers))

    async def watch(self, since: int, timeout: Seconds = 20.0, workers: bool = False) -> ClusterView:
        """As `Link.watch`."""
        answer = await self._ask("mlops_watch", wait=timeout, since=since, timeout=timeout, workers=workers)
        return _cluster_view(answer)

    async def timeline(self, since: Time = 0) -> list[Sample]:
        """As `Link.timeline`."""
        return read_list(Sample, await self._ask("mlops_timeline", since=since))

    async def scale(self, workers: int, group: str | None = None, now: bool = False) -> None:
        """As `Link.scale`."""
        await self._ask("mlops_scale", workers=workers, group=group, now=now)

    async def let_go(self, workers: int, group: str | None = None) -> list[str]:
        """As `Link.let_go`."""
        await self._check_knows("let_go", "The cluster can't let go of idle workers", "Scale it by hand instead.")
        return [str(name) for name in await self._ask("mlops_let_go", workers=workers, group=group)]

    async def adapt(self, minimum: int, maximum: int, group: str | None = None) -> None:
        """As `Link.adapt`."""
        await self._ask("mlops_adapt", minimum=minimum, maximum=maximum, group=group)

    async def limit(self, change: LimitChange) -> None:
        """As `Link.limit`."""
        todo = "It keeps the limits that it has. Start another one when it ends."
        await self._check_knows("limit", "The cluster can't get other limits", todo)
        await self._ask("mlops_limit", **change.model_dump(exclude_none=True))

    async def stop(self, cause: str = "user", why: str = "") -> None:
        """As `Link.stop`."""
        await self._ask("mlops_stop", cause=cause, why=why)

    async def logs(self, worker: str | None = None, lines: int = 200) -> list[str]:
        """As `Link.logs`."""
        return [str(line) for line in await self._ask("mlops_logs", worker=worker, lines=lines)]

    async def dashboard(self) -> tuple[str, int, str]:
        """As `Link.dashboard`."""
        _, port, key = await self._ask("mlops_dashboard", wait=30.0)  # bokeh is imported the first time
        # Where the scheduler is, not where it says that the dashboard is: others would be asked in our name.
        return urlsplit(self.url).hostname or "", int(port), str(key)

    async def ready_for_runs(self) -> None:
        """As `Link.ready_for_runs`: nothing is missing."""

    async def open_run(self, run: RunState, client: str = "") -> RunState:
        """As `Link.open_run`."""
        # The client is told within the run: there, an older controller ignores what it doesn't know.
        opened = await self._ask("mlops_open_run", run={**run.model_dump(), "client": client})
        return read_record(RunState, opened, "run")

    async def plan_run(self, run: str, total: int | None, keys: list[str] | None = None) -> None:
        """As `Link.plan_run`."""
        await self._ask("mlops_plan_run", run=run, total=total, keys=keys)

    async def close_run(self, run: str, phase: str, error: str = "") -> RunState:
        """As `Link.close_run`."""
        return read_record(RunState, await self._ask("mlops_close_run", run=run, phase=phase, error=error), "run")

    async def prune_trials(self, run: str, trials: list[int]) -> None:
        """As `Link.prune_trials`."""
        await self._ask("mlops_prune_trials", run=run, trials=trials)

    async def forget_trials(self, run: str, trials: list[int]) -> None:
        """As `Link.forget_trials`."""
        await self._ask("mlops_forget_trials", run=run, trials=trials)

    async def note_best(self, run: str, value: float, params: dict[str, Any]) -> None:
        """As `Link.note_best`."""
        await self._ask("mlops_note_best", run=run, value=value, params=params)

    async def cancel_run(self, run: str, why: str = "") -> None:
        """As `Link.cancel_run`."""
        await self._ask("mlops_cancel_run", run=run, why=why)

    async def watch_run(self, run: str, since: int, timeout: Seconds = 20.0) -> RunView:
        """As `Link.watch_run`."""
        answer = await self._ask("mlops_watch_run", wait=timeout, run=run, since=since, timeout=timeout)
        return RunView(
            seq=_part(answer, "seq"),
            run=read_record(RunState, _part(answer, "run"), "run"),
            entries=read_list(Entry, answer.get("entries", [])),
            reports=read_list(TrialReport, answer.get("reports", [])),
        )

    async def try_sizes(self, run: str) -> None:
        """As `Link.try_sizes`."""
        await self._check_knows("try_sizes", "Its map can't try sizes", "Start another cluster for it when this ends.")
        await self._ask("mlops_try_sizes", run=run)

    async def note_ladder(self, run: str, ladder: Ladder) -> None:
        """As `Link.note_ladder`."""
        await self._ask("mlops_note_ladder", run=run, ladder=ladder.model_dump())

    async def run_parts(self, run: str) -> dict[str, int]:
        """As `Link.run_parts`."""
        found = await self._ask("mlops_run_parts", run=run)
        return {str(key): int(size) for key, size in found.items()}

    async def run_curves(self, run: str, since: int = 0, most: int = MOST_POINTS) -> CurvesView:
        """As `Link.run_curves`."""
        answer = await self._ask("mlops_run_curves", run=run, since=since, most=most)
        seen = read_record(CurvesView, {**answer, "curves": []}, "curves")
        return seen.model_copy(update={"curves": read_list(CurveData, answer.get("curves", []))})

    async def run_points(self, run: str, since: int = 0) -> tuple[int, list[CurveLine]]:
        """As `Link.run_points`."""
        answer = await self._ask("mlops_run_points", run=run, since=since)
        return int(_part(answer, "seq")), read_list(CurveLine, answer.get("lines", []))

    async def run_stacks(self, run: str) -> list[PythonStack]:
        """As `Link.run_stacks`."""
        answer = await self._ask("mlops_run_stacks", run=run)
        return read_list(PythonStack, answer.get("stacks", []))

    async def close(self) -> None:
        """As `Link.close`."""
        self._closed = True
        messenger, self._messenger = self._messenger, None
        if messenger is not None:
            messenger.close()

    async def _check_knows(self, command: str, what: str, todo: str) -> None:
        """Raise `VersionMismatch` where the controller doesn't know this command."""
        if command not in (await self.view(workers=False)).state.commands:
            raise VersionMismatch(what, "an older version of jupyter-mlops started it, which doesn't know how", todo)

    async def _ask(self, operation: str, wait: Seconds = 0.0, **request: Any) -> Any:
        """The answer to a request; `wait` is how long the controller may take on purpose."""
        if self._closed:
            raise ClusterUnreachable("The link to the cluster is closed", todo="Open another one.")
        try:
            answer = await wait_for(self._connect().ask(operation, **request), wait + self._timeout)
        except (OSError, asyncio.TimeoutError) as error:
            raise ClusterUnreachable(
                "The cluster's scheduler doesn't answer",
                f"{self.url}: {_reason(error)}",
                "It may have ended, or be out of reach; look at the list of clusters.",
            ) from error
        if not isinstance(answer, dict):
            raise ClusterUnreachable(
                "The cluster has no controller of ours",
                f"the scheduler at {self.url} doesn't know {operation}",
                "Use a Dask client for it.",
            )
        if "error" in answer:
            raise _error(answer)
        return _part(answer, "ok")

    def _connect(self) -> Messenger:
        if self._messenger is None:
            security: Any = self._security  # distributed's methods have no types
            context = security.get_connection_args("client")["ssl_context"] if security is not None else None
            self._messenger = Messenger(self.url, context, min(self._timeout, CONNECT))
        return self._messenger


def _cluster_view(answer: dict[str, Any]) -> ClusterView:
    return ClusterView(
        seq=_part(answer, "seq"),
        state=read_record(ClusterState, _part(answer, "state"), "cluster's state"),
        workers=read_list(WorkerState, answer.get("workers", [])),
        gone=[str(name) for name in answer.get("gone", [])],
        events=read_list(Event, answer.get("events", [])),
        runs=read_list(RunState, answer.get("runs", [])),
        whole=bool(answer.get("whole", False)),
    )


def _part(answer: Any, name: str) -> Any:
    if not isinstance(answer, dict) or name not in answer:
        raise Unreadable(
            "The cluster's answer can't be read",
            f"it has no {name!r}",
            "Use the version of jupyter-mlops that started the cluster.",
        )
    return answer[name]


def _error(answer: dict[str, Any]) -> MlopsError:
    """The error that the controller raised, as the same class."""
    named = getattr(errors, str(answer["error"]), MlopsError)
    known = isinstance(named, type) and issubclass(named, MlopsError)
    cls: type[MlopsError] = named if known else MlopsError
    return cls(str(answer.get("what", "The cluster refused")), str(answer.get("why", "")), str(answer.get("todo", "")))


def _reason(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            now = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
            return f"its certificate is refused: {cause.verify_message}. The clock here says {now} UTC"
        cause = cause.__cause__ or cause.__context__
    return str(error) or ("no answer in time" if isinstance(error, asyncio.TimeoutError) else type(error).__name__)
