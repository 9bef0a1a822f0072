"""The commands. Each prints a table or JSON, and raises a `MlopsError` when it can't be done.

What was asked for goes to standard output; what is wrong with a cluster or a place goes to standard error.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from .. import places
from ..client.clusters.estimate import estimates
from ..client.clusters.follow import following
from ..client.clusters.listing import Listing, list_clusters
from ..client.clusters.live import live_state, open_link
from ..client.clusters.others import check_meant
from ..client.clusters.problems import problem_sentence, problems_of
from ..client.clusters.start import start as start_cluster
from ..client.clusters.wait import wait_for_end, wait_for_workers
from ..client.words import let_go_sentence, limits_sentence, waits_for
from ..controller.link import Link
from ..core import naming
from ..core.base import Seconds
from ..core.cluster import ClusterState, Problem
from ..core.errors import Conflict, InvalidInput, MlopsError, Unavailable
from ..core.extend import LimitChange
from ..core.owners import accounts
from ..core.profile import MOST_WORKERS
from ..core.run import FINAL, RunState
from ..core.words import count
from ..home import settings
from ..home.models import versions_of_run
from ..places import profiles
from ..tracking import history
from .account import account
from .costs import costs
from .follow import Follower
from .image import image
from .kubernetes import kubernetes
from .models import models
from .pipeline import pipeline
from .prices import prices
from .scoring import replay, score
from .services import deploy, services, undeploy
from .show import (
    accounts_table,
    as_json,
    clusters_table,
    estimate_lines,
    problem_lines,
    profiles_table,
    receipt_text,
    run_text,
    runs_table,
    spot_lines,
    waste_lines,
)
from .trail import trail
from .waiting import WaitingLine, note, note_refusals

#: Seconds that places have to tell what their machines cost.
_PATIENCE: Seconds = 5.0

#: Seconds that the code of a run that is cancelled has to stop.
_CANCEL: Seconds = 60.0

#: Seconds between two looks at a log.
_LOOK: Seconds = 0.4


async def list_(asked: Namespace) -> None:
    """`list`. Fails where a place did not answer: what is listed then may not be all there is."""
    every = asked.all or asked.costs
    listing = await list_clusters()
    records = [state for state in listing.clusters if every or state.phase != "ended"]
    states = list(await asyncio.gather(*map(live_state, records)))
    if asked.json:
        as_json(accounts(states) if asked.costs else states)
    elif states and asked.costs:
        _say(accounts_table(accounts(states)))
    elif states:
        _say(clusters_table(states, time.time()))
        if lines := problem_lines(states):
            _say("\n" + "\n".join(lines))
        if lines := spot_lines(states):
            _say("\n" + "\n".join(lines))
        if lines := waste_lines(states):
            _say("\n" + "\n".join(lines))
    elif not listing.silent:
        hint = "" if every else ", or see those that ended with --all"
        _say(f"No cluster. Start one with: jupyter mlops start{hint}")
    _fail_where_silent(listing)


async def profiles_(asked: Namespace) -> None:
    """`profiles`."""
    known = profiles.all_profiles()
    if asked.json:
        as_json(known)
        return
    mine = settings.load()
    for name, why in sorted(profiles.overruled().items()):
        note(f"{name}: {why}.")
    found = list(zip(known, await estimates(known, mine, _PATIENCE), strict=True))
    _say(profiles_table(found))
    if lines := estimate_lines(found, time.time()):
        _say("\n" + "\n".join(lines))


async def start(asked: Namespace) -> None:
    """`start`. What is in the way is said while its workers are waited for."""
    state = await start_cluster(asked.profile, asked.name, asked.workers, asked.group)
    if not asked.no_wait:
        try:
            with WaitingLine(state.name) as line:
                async with following(state) as cluster:
                    state = await wait_for_workers(cluster, state.name, say=line.note, tell=line.tell)
        except MlopsError as error:
            error.todo = " ".join(filter(None, [error.todo, f"See: jupyter mlops logs {state.name}"]))
            raise
    if asked.json:
        return as_json(state)
    if asked.no_wait:
        return _say(f"{state.name} is starting.")
    return _say(f"{state.name} is running with {count(state.counts.idle + state.counts.busy, 'worker')}.")


async def scale(asked: Namespace) -> None:
    """`scale`."""
    async with _link_to(asked.cluster) as (record, link):
        await link.scale(asked.workers, asked.group, asked.now)
        await _done(asked, record, link, f"{asked.cluster} will have {count(asked.workers, 'worker')}.")


async def let_go(asked: Namespace) -> None:
    """`let-go`."""
    async with _link_to(asked.cluster) as (record, link):
        names = await link.let_go(asked.workers or MOST_WORKERS, asked.group)
        state = record.told((await link.view(workers=False)).state)
    if asked.json:
        return as_json(state)
    return _say(f"{let_go_sentence(names)}.")


async def adapt(asked: Namespace) -> None:
    """`adapt`."""
    async with _link_to(asked.cluster) as (record, link):
        await link.adapt(asked.minimum, asked.maximum, asked.group)
        bounds = f"{asked.minimum} to {asked.maximum} workers"
        await _done(asked, record, link, f"{asked.cluster} will have {bounds}, as its work needs.")


async def limit(asked: Namespace) -> None:
    """`limit`."""
    change = LimitChange.typed(asked.budget, asked.lifetime)
    async with _link_to(asked.cluster) as (record, link):
        await link.limit(change)
        state = record.told((await link.view(workers=False)).state)
    if asked.json:
        as_json(state)
    else:
        _say(f"{asked.cluster} {limits_sentence(state)}.")


async def stop(asked: Namespace) -> None:
    """`stop`."""
    if bool(asked.cluster) == asked.all:
        raise InvalidInput("Nothing to stop" if not asked.all else "Name clusters, or say --all, not both")
    listing = await list_clusters()
    if asked.all:
        silent = {place.place for place in listing.silent}  # whose clusters can't be stopped now: said at the end
        live = [state for state in listing.clusters if state.phase != "ended" and state.mine]
        found = [state for state in live if state.phase != "unreachable" or state.place not in silent]
        found = [state for state in found if not _is_left_alone(state)]
    else:
        found = [listing.named(name) for name in asked.cluster]  # a wrong name stops nothing
        for name, state in zip([] if asked.force else asked.cluster, found, strict=False):
            check_meant(name, state, listing.clusters)
    for state in found:
        await places.get(state.place).stop(state.id, force=asked.force)
    ended = []
    for state in found:
        ended.append(await _until_ended(state))
        if not asked.json:
            _say(f"{state.name} has ended.")
    if asked.json:
        as_json(ended)
    if asked.all:
        _fail_where_silent(listing)


def _is_left_alone(state: ClusterState) -> bool:
    """Whether it is ended only by its name, since what is stored of it can't be read; says so."""
    alone = state.commands == ["stop"]
    if alone and state.problem is not None:
        print(f"{state.name} is not stopped: {state.problem.what}. {state.problem.todo}", file=sys.stderr)
    return alone


async def logs(asked: Namespace) -> None:
    """`logs`."""
    record = (await list_clusters()).named(asked.cluster)
    place = places.get(record.place)
    read = functools.partial(place.logs, record.id, asked.worker)
    if asked.json or not asked.follow:
        lines = await read(asked.lines)
        as_json(lines) if asked.json else _lines(lines)
        return await _note_problems(record, asked.worker, bool(lines))
    follower, most = Follower(), asked.lines
    while True:
        record = await place.get(record.id)
        ended = record.phase == "ended"
        _lines(follower.new(await read(max(2000, asked.lines)), ended, most))
        if ended:
            return await _note_problems(record, asked.worker)
        most = None
        await asyncio.sleep(_LOOK)


async def runs(asked: Namespace) -> None:
    """`runs`."""
    if asked.run:
        run = history.get(asked.run)
        made = [version.name for version in versions_of_run(run.id)]
        return as_json(run) if asked.json else _say(run_text(run, time.time(), made))
    found = history.runs(asked.limit, asked.cluster)
    if asked.json:
        return as_json(found)
    return _say(runs_table(found, time.time()) if found else "No runs.")


async def cancel(asked: Namespace) -> None:
    """`cancel`."""
    run = history.get(asked.run)
    if run.phase in FINAL:
        raise Conflict(f"The run {run.name!r} can't be cancelled", f"it is {run.phase}")
    async with _link_to(run.ran_on) as (_, link):
        await link.cancel_run(run.id, "cancelled on the command line")
        deadline = time.monotonic() + _CANCEL
        view = await link.watch_run(run.id, 0, 0.1)
        while view.run.phase not in FINAL:
            if time.monotonic() > deadline:
                raise Unavailable("The run hasn't stopped yet", "its code is in a call that can't be interrupted")
            view = await link.watch_run(run.id, view.seq, 2.0)
    if asked.json:
        return as_json(view.run)
    return _say(f"{run.name or run.id} is {view.run.phase}.")


async def forget(asked: Namespace) -> None:
    """`forget`. An id that is wrong, or of a run that goes on, removes nothing."""
    found = {run.id: run for run in map(history.get, asked.run)}
    if any(run.phase not in FINAL for run in found.values()):
        listing = await list_clusters()
        found = {run.id: _lost(run, listing) or run for run in found.values()}
    history.forget(*found.values())
    if asked.json:
        return as_json(list(found.values()))
    return _say("\n".join(f"{run.name or run.id} is removed from the history." for run in found.values()))


def _lost(run: RunState, listing: Listing) -> RunState | None:
    """`run` as a lost one, where its cluster is gone for sure and could not say so."""
    known = naming.find(run.ran_on, listing.clusters) is not None
    return history.lost(run, listing.clusters) if known or not listing.silent else None


async def receipt(asked: Namespace) -> None:
    """`receipt`."""
    record = (await list_clusters()).named(asked.cluster)
    found = await places.get(record.place).receipt(record.id)
    if found is None:
        raise Conflict(f"The cluster {asked.cluster!r} has no receipt", "it hasn't ended")
    if asked.json:
        return as_json(found)
    return _say(receipt_text(found))


COMMANDS: dict[str, Callable[[Namespace], Coroutine[Any, Any, None]]] = {
    "list": list_,
    "profiles": profiles_,
    "start": start,
    "scale": scale,
    "let-go": let_go,
    "adapt": adapt,
    "limit": limit,
    "stop": stop,
    "logs": logs,
    "runs": runs,
    "cancel": cancel,
    "forget": forget,
    "receipt": receipt,
    "models": models,
    "pipeline": pipeline,
    "costs": costs,
    "replay": replay,
    "score": score,
    "services": services,
    "deploy": deploy,
    "undeploy": undeploy,
    "trail": trail,
    "prices": prices,
    "account": account,
    "kubernetes": kubernetes,
    "image": image,
}


@contextlib.asynccontextmanager
async def _link_to(name: str) -> AsyncIterator[tuple[ClusterState, Link]]:
    record = (await list_clusters()).named(name)
    async with open_link(record.place, record.id) as link:
        yield record, link


async def _done(asked: Namespace, record: ClusterState, link: Link, text: str) -> None:
    """Say that something was accepted, and what keeps it from coming about."""
    if not asked.json:
        _say(text)
        sys.stdout.flush()
    state = await note_refusals(link, asked.group)
    if asked.json:
        as_json(record.told(state))


async def _until_ended(record: ClusterState) -> ClusterState:
    """How it ended; of a cluster that others made, nothing is left to tell of it then."""
    if record.phase == "ended":
        return record
    async with following(record) as cluster:
        ended = await wait_for_end(cluster, record.name)
    return ended or record.model_copy(update={"phase": "ended", "cause": "user"})


async def _note_problems(record: ClusterState, worker: str | None, has_log: bool = True) -> None:
    """What is wrong with a cluster, or with one of its workers, beside its log; or why that is empty."""
    try:
        if worker is None:
            found = problems_of(await live_state(record))
        else:
            found = await _problems_of_worker(record, worker)
    except MlopsError:  # the log was asked for, and is there
        found = []
    for group, problem in found:
        note(problem_sentence(group, problem))
    if not found and not has_log:
        note("No log of it is kept." if record.phase == "ended" else f"There is no log: {waits_for(record)}.")


async def _problems_of_worker(record: ClusterState, worker: str) -> list[tuple[str, Problem]]:
    if record.phase != "running":
        return []
    async with open_link(record.place, record.id) as link:
        rows = (await link.view()).workers
    return [("", row.problem) for row in rows if row.name == worker and row.problem is not None]


def _fail_where_silent(listing: Listing) -> None:
    """Say which places did not answer; raises `Unavailable` when there are any."""
    errors = [silent.described(time.time()) for silent in listing.silent]
    for problem in errors[:-1]:
        note(problem_sentence("", problem))
    for problem in errors[-1:]:
        raise Unavailable(problem.what, problem.why, problem.todo)


def _lines(lines: list[str]) -> None:
    if lines:
        _say("\n".join(line.rstrip("\n") for line in lines))
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
