"""The commands. Each prints a table or JSON, and raises a `MlopsError` when it can't be done."""

from __future__ import annotations

import asyncio
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Coroutine
from typing import Any

from ..client.clusters.listing import backend_of, list_clusters
from ..client.clusters.start import start as start_cluster
from ..core.cluster import ClusterState
from ..core.errors import (
    Conflict,
    InvalidInput,
    Unavailable,
)
from ..core.estimate import estimate
from ..core.owners import accounts
from ..core.run import FINAL
from ..core.words import count
from ..home import settings
from ..places import profiles
from ..tracking import history
from .follow import Follower
from .image import image
from .kubernetes import kubernetes
from .live import LOOK, PATIENCE, gone, linked, live, others, ready, until
from .prices import prices
from .show import accounts_table, as_json, clusters_table, profiles_table, receipt_text, runs_table


async def list_(asked: Namespace) -> None:
    """`list`."""
    every = asked.all or asked.costs
    states = [state for state in (await list_clusters()).clusters if every or state.phase != "ended"]
    states = list(await asyncio.gather(*map(live, states)))
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
    state = await start_cluster(asked.profile, asked.name, asked.workers, asked.group)
    if not asked.no_wait:
        state = await until(state.name, ready)
    if asked.json:
        return as_json(state)
    if asked.no_wait:
        return _say(f"{state.name} is starting.")
    return _say(f"{state.name} is running with {count(state.counts.idle + state.counts.busy, 'worker')}.")


async def scale(asked: Namespace) -> None:
    """`scale`."""
    async with linked(asked.cluster) as link:
        await link.scale(asked.workers, asked.group, asked.now)
        state = (await link.view(workers=False)).state
        await _done(asked, state, f"{asked.cluster} will have {count(asked.workers, 'worker')}.")


async def adapt(asked: Namespace) -> None:
    """`adapt`."""
    async with linked(asked.cluster) as link:
        await link.adapt(asked.minimum, asked.maximum, asked.group)
        text = f"{asked.cluster} will have {asked.minimum} to {asked.maximum} workers, as its work needs."
        await _done(asked, (await link.view(workers=False)).state, text)


async def stop(asked: Namespace) -> None:
    """`stop`."""
    if bool(asked.cluster) == asked.all:
        raise InvalidInput("Nothing to stop" if not asked.all else "Name clusters, or say --all, not both")
    there = {state.name: state for state in (await list_clusters()).clusters if state.phase != "ended"}
    names = [state.name for state in there.values() if state.ours] if asked.all else asked.cluster
    found = [(name, await backend_of(name)) for name in names]  # a wrong name stops nothing
    for name in [] if asked.force else names:
        if name in there and not there[name].ours:
            raise others(there[name])
    for name, place in found:
        await place.stop(name, force=asked.force)
    states = []
    for name, _ in found:
        states.append(await gone(name, there.get(name)))
        if not asked.json:
            _say(f"{name} has ended.")
    if asked.json:
        as_json(states)


async def logs(asked: Namespace) -> None:
    """`logs`."""
    place = await backend_of(asked.cluster)
    if asked.json or not asked.follow:
        lines = await place.logs(asked.cluster, asked.worker, asked.lines)
        return as_json(lines) if asked.json else _lines(lines)
    follower, most = Follower(), asked.lines
    while True:
        ended = (await place.get(asked.cluster)).phase == "ended"
        lines = await place.logs(asked.cluster, asked.worker, max(2000, asked.lines))
        _lines(follower.new(lines, ended, most))
        if ended:
            return None
        most = None
        await asyncio.sleep(LOOK * 2)


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
    async with linked(run.cluster) as link:
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
    found = await (await backend_of(asked.cluster)).receipt(asked.cluster)
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
    "image": image,
}


async def _done(asked: Namespace, state: ClusterState, text: str) -> None:
    as_json(state) if asked.json else _say(text)


def _lines(lines: list[str]) -> None:
    if lines:
        _say("\n".join(line.rstrip("\n") for line in lines))
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
