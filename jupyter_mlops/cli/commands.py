"""The commands. Each prints a table or JSON, and raises a `MlopsError` when it can't be done."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from .. import backends
from ..backends import profiles, settings
from ..controller.link import Link
from ..core.cluster import ClusterState
from ..core.errors import (
    ClusterEnded,
    ClusterUnreachable,
    Conflict,
    InvalidInput,
    MlopsError,
    StartFailed,
    Unavailable,
    UnknownCluster,
)
from ..core.estimate import estimate
from ..core.model import Seconds
from ..core.owners import accounts
from ..core.run import FINAL
from ..tracking import history
from .kubernetes import kubernetes
from .prices import prices
from .show import accounts_table, as_json, clusters_table, profiles_table, receipt_text, runs_table, workers

#: Seconds that a command waits for what it asked for.
PATIENCE: Seconds = 300.0

_LOOK: Seconds = 0.2


async def list_(asked: Namespace) -> None:
    """`list`."""
    every = asked.all or asked.costs
    states = [state for state in await backends.clusters() if every or state.phase != "ended"]
    states = list(await asyncio.gather(*map(_live, states)))
    if asked.json:
        return as_json(accounts(states) if asked.costs else states)
    if states and asked.costs:
        return _say(accounts_table(accounts(states)))
    if not states:
        hint = "" if every else ", or see those that ended with --all"
        return _say(f"No cluster. Start one with: jupyter mlops start{hint}")
    return _say(clusters_table(states, time.time()))


async def profiles_(asked: Namespace) -> None:
    """`profiles`."""
    known = profiles.all_profiles()
    if asked.json:
        return as_json(known)
    price = settings.load().price
    return _say(profiles_table([(profile, estimate(profile, profile.price or price)) for profile in known]))


async def start(asked: Namespace) -> None:
    """`start`."""
    known = settings.load()
    name = asked.profile or known.default_profile
    profile = profiles.get(name) if name else profiles.all_profiles()[0]
    spec = backends.new_spec(profile, asked.name, asked.workers, asked.group)
    place = backends.get(profile.place)
    await place.check(spec.profile)
    state = await place.start(spec)
    profiles.mark_used(profile.name)
    if not asked.no_wait:
        state = await _until(spec.name, _ready)
    if asked.json:
        return as_json(state)
    if asked.no_wait:
        return _say(f"{spec.name} is starting.")
    return _say(f"{spec.name} is running with {workers(state.counts.idle + state.counts.busy)}.")


async def scale(asked: Namespace) -> None:
    """`scale`."""
    async with _linked(asked.cluster) as link:
        await link.scale(asked.workers, asked.group, asked.now)
        await _done(
            asked, (await link.view(workers=False)).state, f"{asked.cluster} will have {workers(asked.workers)}."
        )


async def adapt(asked: Namespace) -> None:
    """`adapt`."""
    async with _linked(asked.cluster) as link:
        await link.adapt(asked.minimum, asked.maximum, asked.group)
        text = f"{asked.cluster} will have {asked.minimum} to {asked.maximum} workers, as its work needs."
        await _done(asked, (await link.view(workers=False)).state, text)


async def stop(asked: Namespace) -> None:
    """`stop`."""
    if bool(asked.cluster) == asked.all:
        raise InvalidInput("Nothing to stop" if not asked.all else "Name clusters, or say --all, not both")
    live = [state.name for state in await backends.clusters() if state.phase != "ended"]
    names = live if asked.all else asked.cluster
    found = [(name, await backends.find(name)) for name in names]  # a wrong name stops nothing
    for name, place in found:
        await place.stop(name, force=asked.force)
    states = []
    for name, _ in found:
        states.append(await _until(name, lambda state: state.phase == "ended"))
        if not asked.json:
            _say(f"{name} has ended.")
    if asked.json:
        as_json(states)


async def logs(asked: Namespace) -> None:
    """`logs`."""
    place = await backends.find(asked.cluster)
    lines = await place.logs(asked.cluster, asked.worker, asked.lines)
    if asked.json:
        return as_json(lines)
    _lines(lines)
    while asked.follow:
        await asyncio.sleep(_LOOK * 2)
        ended = (await place.get(asked.cluster)).phase == "ended"
        # More than can come in between; what was shown is found again by its last lines.
        more = await place.logs(asked.cluster, asked.worker, max(2000, len(lines)))
        _lines(_after(lines, more))
        lines = more
        if ended:
            return None
    return None


async def runs(asked: Namespace) -> None:
    """`runs`."""
    found = history.runs(asked.limit, asked.cluster)
    if asked.json:
        return as_json(found)
    return _say(runs_table(found, time.time()) if found else "No runs.")


async def cancel(asked: Namespace) -> None:
    """`cancel`."""
    run = history.get(asked.run)
    if run.phase in FINAL:
        raise Conflict(f"The run {run.name!r} can't be cancelled", f"it is {run.phase}")
    async with _linked(run.cluster) as link:
        await link.cancel_run(run.id, "cancelled on the command line")
        deadline = time.monotonic() + PATIENCE
        view = await link.watch_run(run.id, 0, 0.1)
        while view.run.phase not in FINAL:
            if time.monotonic() > deadline:
                raise Unavailable("The run hasn't stopped yet", "its code is in a call that can't be interrupted")
            view = await link.watch_run(run.id, view.seq, 2.0)
    if asked.json:
        return as_json(view.run)
    return _say(f"{run.name or run.id} is {view.run.phase}.")


async def receipt(asked: Namespace) -> None:
    """`receipt`."""
    found = await (await backends.find(asked.cluster)).receipt(asked.cluster)
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
    "adapt": adapt,
    "stop": stop,
    "logs": logs,
    "runs": runs,
    "cancel": cancel,
    "receipt": receipt,
    "prices": prices,
    "kubernetes": kubernetes,
}


def _ready(state: ClusterState) -> bool:
    wanted = sum(group.wanted for group in state.groups)
    return state.phase == "running" and state.counts.idle + state.counts.busy >= wanted


async def _live(state: ClusterState) -> ClusterState:
    """What the controller says of a live cluster; else its record."""
    if state.phase not in ("running", "stopping"):
        return state
    try:
        async with _linked(state.name, 3.0) as link:
            return (await asyncio.wait_for(link.view(workers=False), 3.0)).state
    except (MlopsError, asyncio.TimeoutError):
        return state.model_copy(update={"phase": "unreachable"})


async def _until(name: str, reached: Callable[[ClusterState], bool]) -> ClusterState:
    """The cluster's state when it is as wanted, or a failure."""
    deadline = time.monotonic() + PATIENCE
    place = await backends.find(name)
    while True:
        try:
            record = await place.get(name)
        except UnknownCluster:
            raise ClusterEnded(f"The cluster {name!r} is gone") from None
        state = await _live(record)
        if reached(state):
            return state
        if state.phase == "ended":
            why = state.problem.why if state.problem else state.cause or ""
            raise StartFailed(f"The cluster {name!r} ended", why, f"See: jupyter mlops logs {name}")
        if time.monotonic() > deadline:
            problem = next((group.problem for group in state.groups if group.problem), None)
            raise ClusterUnreachable(
                f"The cluster {name!r} is not ready after {PATIENCE / 60:.0f} minutes", problem.what if problem else ""
            )
        await asyncio.sleep(_LOOK)


@contextlib.asynccontextmanager
async def _linked(name: str, timeout: Seconds = 30.0) -> AsyncIterator[Link]:
    link = await (await backends.find(name)).link(name, timeout)
    try:
        yield link
    finally:
        await link.close()


async def _done(asked: Namespace, state: ClusterState, text: str) -> None:
    as_json(state) if asked.json else _say(text)


def _after(shown: list[str], lines: list[str]) -> list[str]:
    """The lines that come after those that were shown."""
    for length in (min(len(shown), 20), 1):
        tail = shown[-length:] if length else []
        for end in range(len(lines), length - 1, -1):
            if lines[end - length : end] == tail:
                return lines[end:]
    return lines


def _lines(lines: list[str]) -> None:
    if lines:
        _say("\n".join(line.rstrip("\n") for line in lines))
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
