"""From code, items and options to a run that is under way."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from ... import home
from ...agent.versions import versions_of
from ...controller.runs.results import SMALL
from ...core.budget import check_priced
from ...core.errors import InvalidSpec
from ...core.ladder import Ladder
from ...core.profile import Group
from ...core.run import Origin, RunState
from ...core.words import listed
from ...home.owner import me
from ...home.runs import run_folder
from ..clusters.choose import Say, choose
from ..clusters.kernel import kernel, loop_thread
from ..clusters.session import Session
from ..send.payload import RunPayload
from .checkpoints import PLACE, earlier, earlier_trials, place_of, places_of
from .execution.channel import Channel
from .execution.execution import Execution
from .execution.feeding import FedExecution, Feed
from .execution.fit import FitExecution, FitTables
from .execution.gang import GangExecution
from .execution.items import Items, Partitions, Sliced, Streamed, items_of
from .execution.mapping import MapExecution
from .execution.partitions import PartitionExecution
from .execution.result_buffer import ResultBuffer
from .execution.single import OneTask
from .execution.sweep import SweepExecution
from .options import Options, wish_of
from .origin import name_of
from .record import PayloadFile, not_kept
from .run import Run
from .sweeps.plan import SweepPlan

_Run = TypeVar("_Run", bound=Run)

#: Said before a gang starts whose checkpoints nobody would see again.
NO_PLACE = (
    "Checkpoints can't be kept: there is no folder that all workers see. Ranks that begin again do so at the start. "
    f"Name a path of a volume, or a URL like s3://…, with --checkpoint or as {PLACE} in the profile's environment."
)

#: What the code of a fit begins with: it saves checkpoints of its own.
FIT = "mlops.fit("

#: Characters of the code that a record keeps.
CODE = 20_000

#: Is told a run's id.
Ready = Callable[[str], None]

Items_ = Items | Partitions | Feed | FitTables | SweepPlan


def launch(
    payload: RunPayload, values: Any, options: Options, origin: Origin, say: Say, ready: Ready | None = None
) -> Run:
    """Start a run; `values` are a map's items, what a fit is given or a sweep's plan, None otherwise. Returns as soon
    as it is sent on its way.

    Parameters
    ----------
    ready : called with the run's id, in a thread, before anything of it is sent or kept. What it raises ends it.

    Raises
    ------
    InvalidItems, UnknownCluster, UnknownGroup, OutOfRange, VersionMismatch, StartFailed, ClusterUnreachable
    """
    return launch_as(Run, payload, values, options, origin, say, ready)


def launch_as(
    made: type[_Run],
    payload: RunPayload,
    values: Any,
    options: Options,
    origin: Origin,
    say: Say,
    ready: Ready | None = None,
) -> _Run:
    """The same, as a `made`. Raises as `launch`, and `Conflict` for a budget that can't be kept."""
    given = isinstance(values, (Feed, FitTables, SweepPlan))
    items = values if given else items_of(values) if payload.head["kind"] == "map" else None
    if options.detach and isinstance(items, Streamed):
        items = Sliced(list(items.rest()))
    prepared = loop_thread().call(_prepare(payload, items, options, origin, say, ready))
    run = made(prepared, options.quiet)
    run.start()
    if options.detach:
        prepared.sent.wait()
        run.check()
    return run


async def _prepare(
    payload: RunPayload, items: Items_ | None, options: Options, origin: Origin, say: Say, ready: Ready | None
) -> Execution:
    workers = options.workers if isinstance(options.workers, int) else None
    session = await choose(options.cluster, say, workers, options.group)
    await session.link.ready_for_runs()
    await _check_budget(session, options)
    await _scale(session, options)
    if isinstance(items, SweepPlan):
        await items.check(session)
    if options.gang is not None:
        group = await _group_of_gang(session, options)
        workers = min(options.gang, group.maximum) if options.at_least else options.gang
        options = replace(options, gang=workers, group=group.name, per_worker=options.per_worker or max(1, group.gpus))
    if options.sync:
        kernel().synced.add(session.id)
    sync = session.id in kernel().synced
    if note := await session.packages.prepare(payload.packages, payload.lazy_imports, sync):
        say(f"{note[:1].upper()}{note[1:]}")
    run = secrets.token_hex(6)
    kernel().begun.add(run)
    state = _state(run, session, payload, items, options, origin)
    if options.gang is not None:
        state.checkpoints = await place_of(session, run, options.checkpoint)
        others = await (
            earlier_trials(items.continues) if isinstance(items, SweepPlan) else earlier(state.digest, options)
        )
        payload.head["checkpoints"] = places_of(state, others)
        if not state.checkpoints and any(word in payload.code for word in ("checkpoint(", FIT)):
            say(NO_PLACE)
    if options.tries_sizes:
        await _check_sizes(session, items, options)
    if ready is not None:
        await asyncio.to_thread(ready, run)
    _complete(payload, state, options)
    return _execution(session, state, payload, items)


async def _check_budget(session: Session, options: Options) -> None:
    if options.budget is not None:
        spec = await session.backend.spec(session.id)
        limits = spec.profile.limits.model_copy(update={"budget": options.budget})
        check_priced(limits, spec.price, spec.reference, listed=session.backend.prices_hosts)


async def _scale(session: Session, options: Options) -> None:
    if options.group is not None and options.workers is None:
        (await session.backend.spec(session.id)).profile.group(options.group)
    if isinstance(options.workers, int):
        await session.link.scale(options.workers, options.group)
    elif options.workers is not None:
        await session.link.adapt(*options.workers, options.group)


async def _check_sizes(session: Session, items: Items_ | None, options: Options) -> None:
    """Raise `InvalidSpec` for a run that can't try sizes."""
    if not isinstance(items, Items):
        what = "partitions are sent all at once" if isinstance(items, Partitions) else "it is no map"
        raise InvalidSpec("This run can't try sizes", what, "Map over a list, range or table, or leave pilot out.")
    if items.total is None:
        why = "nobody knows how many items a generator gives"
        raise InvalidSpec("This map can't try sizes", why, "Make a list of it, or leave pilot out.")
    groups = (await session.link.view(workers=False)).state.groups
    if options.group is None and len(groups) > 1:
        names = listed([group.name for group in groups])
        raise InvalidSpec("This map can't try sizes", f"its cluster has the groups {names}", "Name one with group.")


async def _group_of_gang(session: Session, options: Options) -> Group:
    """The group that a gang runs on.

    Raises
    ------
    UnknownGroup : there is none of that name.
    OutOfRange : it can never have so many workers.
    """
    profile = (await session.backend.spec(session.id)).profile
    group = profile.group(options.group) if options.group is not None else profile.groups[0]
    group.check(max(group.minimum, options.at_least or options.gang or 0))
    return group


def _state(
    run: str, session: Session, payload: RunPayload, items: Items_ | None, options: Options, origin: Origin
) -> RunState:
    kind = payload.head["kind"]
    writes_home, created = session.backend.writes_home, time.time()
    wish = wish_of(options.recorded(), created)
    return RunState(
        id=run,
        name=options.name or name_of(payload.code, origin) or kind,
        kind="sweep" if isinstance(items, SweepPlan) else "gang" if options.gang else kind,
        cluster=session.name,
        cluster_id=session.id,
        group=options.group,
        owner=me(),
        created=created,
        code=payload.code[:CODE],
        options=options.recorded() | (items.options if isinstance(items, SweepPlan) else {}),
        variables=payload.variables,
        versions=versions_of(sorted(payload.packages)),
        origin=origin,
        detached=options.detach,
        digest=payload.digest,
        total=_total(items, options),
        kept=options.detach and writes_home,
        # the cluster knows until when it is to be done before any worker is there
        ladder=None if wish is None else Ladder(phase="asked", by=wish.by, money=wish.money),
    )


def _total(items: Items_ | None, options: Options) -> int | None:
    if items is None or isinstance(items, FitTables):
        return (options.gang or 1) * (options.per_worker or 1)
    return items.total


def _complete(payload: RunPayload, state: RunState, options: Options) -> None:
    folder = ""
    if state.kept:
        folder = str(home.private(run_folder(state.id).result))
    payload.head |= {
        "run": state.id,
        "retries": options.retries,
        "on_error": options.on_error,
        "keep": options.keep,
        "gang": options.gang is not None,
        "sweep": state.kind == "sweep",
        "folder": folder,
        "seal": run_folder(state.id).new_key() if state.detached else b"",
        "small": SMALL if state.detached and not state.kept else 0,
    }


def _execution(session: Session, state: RunState, payload: RunPayload, items: Items_ | None) -> Execution:
    channel = Channel()
    if isinstance(items, FitTables):
        not_kept(state.id, "its rows are in the memory of its cluster only")
        return FitExecution(session, state, payload, channel, items)
    if items is None:
        payload_file = PayloadFile(state.id, payload.head, payload.bigs)
        payload_file.finish()
        kind = GangExecution if state.kind == "gang" else OneTask
        return kind(session, state, payload, channel)
    if isinstance(items, Feed):
        not_kept(state.id, "its items came one after the other, from somebody who waited for them")
        return FedExecution(session, state, payload, channel, items)
    if isinstance(items, SweepPlan):
        not_kept(state.id, "its settings were drawn while it ran; run the same sweep again, and it goes on")
        return SweepExecution(session, state, payload, channel, items)
    buffer = ResultBuffer(keep=not isinstance(items, Streamed))
    if isinstance(items, Partitions):
        if items.computed:
            not_kept(state.id, "it was computed before, and is in the memory of its cluster only")
        else:
            payload_file = PayloadFile(state.id, payload.head, payload.bigs)
            payload_file.add_partitions(items.parts)
            payload_file.finish()
        return PartitionExecution(session, state, payload, channel, items, buffer)
    payload_file = PayloadFile(state.id, payload.head, payload.bigs)
    return MapExecution(session, state, payload, channel, items, buffer, payload_file)
