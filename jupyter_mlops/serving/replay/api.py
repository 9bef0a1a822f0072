"""`mlops.replay`, as a function, and what it gives."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import cloudpickle
import numpy as np

from ...client.clusters.choose import choose
from ...client.clusters.handle import Cluster
from ...client.clusters.kernel import loop_thread
from ...client.runs.execution.outcomes import FailedItem
from ...client.runs.launch import launch
from ...client.runs.options import Options
from ...client.runs.origin import origin_of_kernel
from ...client.runs.run import Run
from ...client.runs.view import View
from ...client.send.payload import ship_function
from ...client.words import tell
from ...core.base import Time
from ...core.errors import Conflict, InvalidSpec, MlopsError, Unavailable, UnknownService, UnknownVersion
from ...core.model import ModelVersion
from ...core.service import ServiceSpec
from ...core.words import first_of
from ...registry import answers, flavors, measure, rows
from ...registry.find import find_version
from ...registry.handle import Model, Version
from ...registry.scoring import part as scoring
from ...registry.scoring.plan import plan_of, version_meant
from ..find import find_service, hosting_of, list_services
from . import part as parts
from .compare import compare, measures_of, plain
from .logged import Logged, logged_rows
from .part import Replayed, replayer
from .result import ReplayResult

T = TypeVar("T")

#: What a worker does travels with the run: workers elsewhere have no copy of it.
for _travelling in (answers, flavors, measure, rows, scoring, parts):
    cloudpickle.register_pickle_by_value(_travelling)

_OPTIONS = ("name", "workers", "group", "timeout", "budget", "retries", "quiet", "sync")

#: Rows that are shown where answers differ.
_EXAMPLES = 8


def replay(
    model: str | Model | Version,
    *,
    hours: float = 24.0,
    since: datetime | str | float | None = None,
    service: str | None = None,
    cluster: str | Cluster | None = None,
    **options: Any,
) -> Replay:
    """Ask a version what a service was asked, on a cluster, before it sees traffic. Returns at once.

        mlops.replay("churn@7", hours=24).result()

    The result says how many answers are the same as those that were given, where they differ most, what the version
    can't answer, and, where labels are there, whether it is better. Nothing of the service changes.

    Parameters
    ----------
    model : "churn@7", "churn@newest", "churn" (the champion), or what `mlops.model` gives.
    hours : how far back what was logged is taken.
    since : the moment from which on it is taken, instead: a datetime, "2026-11-27 08:00" (of the clock here, where it
        has no zone), or seconds since the epoch.
    service : whose requests; default: the one that is called as the model, or the only one that serves it.
    cluster : where; as for `%%mlrun --cluster`.
    options : name, workers, group, timeout, budget, retries, quiet, sync, as for `%%mlrun`.

    Raises
    ------
    UnknownModel, UnknownVersion, UnknownService : there is no such version or service.
    NotFound : nothing of that time is logged.
    InvalidInput : the log lacks a feature that the version takes, which may be private; or has another type of it.
    Conflict : the service is another model's; the version was saved without rows, or answers with something else.
    Unavailable, Unreadable : the log can't be read, or its place has none; pandas or pyarrow isn't installed here.
    ModelChanged, Refused, NotPicklable, UnknownCluster, UnknownGroup, OutOfRange, VersionMismatch, StartFailed,
    ClusterUnreachable
    """
    if unknown := [name for name in options if name not in _OPTIONS]:
        raise InvalidSpec(f"{unknown[0]!r} is no option of a replay", "", f"There are: {', '.join(_OPTIONS)}.")
    for needed in ("pandas", "pyarrow"):
        if importlib.util.find_spec(needed) is None:
            raise Unavailable("Nothing can be replayed", f"{needed} isn't installed here", f"pip install {needed}")
    begin, when = _moment(hours, since)
    models, version = version_meant(model, "can't be replayed")
    place, name = _service_of(models.name, service)
    hosting = hosting_of(place)
    spec = _call(hosting.spec(name))
    logged = logged_rows(_call(hosting.logged(name, begin)), version, spec, when)
    _check_tasks(models, version, logged)
    plan = plan_of(models, version, logged.given(version), [], False, "", "")
    told = Options(
        cluster=cluster.id if isinstance(cluster, Cluster) else cluster,
        **{"name": f"replay {version.name}", **options},
    )
    say: Callable[[str], None] = (lambda text: None) if told.quiet else tell
    asked = f"mlops.replay({version.name!r}, service={name!r})"
    payload = ship_function(replayer(replace(plan, schema=None), version.task), asked, "map", say)
    session = _call(choose(told.cluster, say, told.workers if isinstance(told.workers, int) else None, told.group))
    items = logged.parts(by_path=session.backend.writes_home)
    run = launch(payload, items, replace(told, cluster=session.id), origin_of_kernel(), say)
    try:
        return Replay(run, version, spec, logged)
    except MlopsError as error:
        run.cancel(str(error))
        raise


def _moment(hours: float, since: datetime | str | float | None) -> tuple[Time, str]:
    """From when on, and how that is said."""
    if since is None:
        if not (isinstance(hours, (int, float)) and not isinstance(hours, bool) and 0 < hours < float("inf")):
            raise InvalidSpec(f"hours can't be {hours!r}", "it is how far back to look", "Use a number above 0.")
        return time.time() - 3600 * hours, f"in the last {hours:g} hours" if hours != 1 else "in the last hour"
    try:
        begin = datetime.fromisoformat(since) if isinstance(since, str) else since
        moment = begin.timestamp() if isinstance(begin, datetime) else float(begin)
    except (ValueError, TypeError):
        todo = "Write it like 2026-11-27 08:00, or give a datetime."
        raise InvalidSpec(f"since can't be {since!r}", "it is a moment", todo) from None
    return moment, f"since {datetime.fromtimestamp(moment):%Y-%m-%d %H:%M}"


def _service_of(model: str, name: str | None) -> tuple[str, str]:
    """The place and the name of the service whose requests are replayed."""
    if name is None:
        serving = [state for state in _call(list_services()) if state.model == model]
        named = [state for state in serving if state.name == model] or serving
        if len(named) > 1:
            names = first_of([repr(state.name) for state in named], 5)
            raise Conflict(f"Several services serve {model}", "", f"Say which: service=…. There are: {names}.")
        if not named:
            todo = f"Deploy it first, and let it be asked: mlops.deploy({model!r})."
            raise UnknownService(f"No service serves {model}", "so that nothing was asked of it", todo)
        return named[0].place, named[0].name
    state = _call(find_service(name))
    if state.model != model:
        why = f"it serves {state.model}, and this is a version of {model}"
        raise Conflict(f"What {name!r} was asked is for another model", why, "Name a service of the same model.")
    return state.place, state.name


def _check_tasks(models: Any, version: ModelVersion, logged: Logged) -> None:
    """Raise `Conflict` where what was answered means something else than what the version answers."""
    for number in logged.versions:
        try:
            other = find_version(models, number)
        except UnknownVersion:  # it was removed since
            continue
        if {version.task, other.task} == {"classification", "regression"}:
            why = f"its task is {version.task}, and that of {other.name}, which answered, is {other.task}"
            raise Conflict(f"{version.name} can't be compared with what was answered", why, "")


class Replay:
    """A replay under way, or over: what `mlops.replay` gives.

    Attributes
    ----------
    run : the run that asks.
    """

    def __init__(self, run: Run, version: ModelVersion, spec: ServiceSpec, logged: Logged) -> None:
        self.run = run
        self._version, self._spec, self._logged = version, spec, logged
        self._before, self._labels = logged.told()  # while workers are at work
        self._result: ReplayResult | None = None

    @property
    def state(self) -> str:
        """starting, running, done, failed, cancelled or lost."""
        return self.run.state

    def wait(self, timeout: float | None = None) -> None:
        """Wait until it is over. Raises `NotReady` when it isn't after `timeout` seconds; it goes on."""
        self.run.wait(timeout)

    def cancel(self, why: str = "") -> None:
        """Stop it."""
        self.run.cancel(why)

    def result(self, timeout: float | None = None, view: View | None = None) -> ReplayResult:
        """What it found, once it is over.

        Raises
        ------
        ItemsFailed : workers could ask nothing at all; the cause is chained.
        Conflict : the version's answers are text, and those before numbers, or the other way round.
        RunCancelled, RunTimeout, RunLost, RunFailed
        NotReady : it isn't over after `timeout` seconds; it goes on.
        """
        given = self.run.result(timeout, view)
        if self._result is None:
            self._result = self._compared(given)
        return self._result

    def _compared(self, given: list[Replayed | FailedItem]) -> ReplayResult:
        logged, task = self._logged, self._version.task
        at, said, errors = _gathered(given, logged.sizes())
        before, labels = self._before, self._labels
        compared = compare(task, before[at], said, _EXAMPLES)
        examples = None
        if compared.furthest:
            chosen = [int(at[each]) for each in compared.furthest]
            examples = logged.examples(chosen)
            shown = plain if compared.changes else lambda value: value
            examples["answer"] = [shown(each) for each in before[chosen].tolist()]
            examples["now"] = [shown(each) for each in said[compared.furthest].tolist()]
        record = self.run.record
        return ReplayResult(
            self._version.name,
            self._spec.name,
            len(logged),
            {f"{self._version.model}@{number}": rows for number, rows in sorted(logged.versions.items())},
            compared,
            measures_of(task, labels[at], before[at], said),
            errors,
            logged.left_out,
            examples,
            (record.ended or time.time()) - record.created,
            record.cost,
        )

    def __repr__(self) -> str:
        return f"<Replay of {self._version.name} on {len(self._logged):,} rows of {self._spec.name}: {self.state}>"


def _gathered(given: list[Replayed | FailedItem], rows: list[int]) -> tuple[Any, Any, dict[str, int]]:
    """The numbers of the rows that were answered, what the version said, and why others weren't."""
    at, said, errors = [], [], dict[str, int]()
    start = 0
    for each, number in zip(given, rows, strict=True):
        if isinstance(each, FailedItem):
            why = each.error.splitlines()[0]
            errors[why] = errors.get(why, 0) + number
        else:
            if len(each.at):
                at.append(np.asarray(each.at) + start)
                said.append(each.said)
            for why, failed in each.failed.items():
                errors[why] = errors.get(why, 0) + len(failed)
        start += number
    if not at:
        return np.zeros(0, int), np.zeros(0), errors
    return np.concatenate(at), np.concatenate(said), errors


def _call(coroutine: Coroutine[Any, Any, T]) -> T:
    return loop_thread().call(coroutine)
