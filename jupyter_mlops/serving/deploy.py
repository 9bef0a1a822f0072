"""The one door through which services are made and changed: by notebooks, the command line and the server."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from typing import Any

from .. import places
from ..core.base import Seconds, read_input
from ..core.cluster import Problem
from ..core.errors import (
    Conflict,
    InvalidInput,
    InvalidSpec,
    MlopsError,
    NotReady,
    Refused,
    StartFailed,
    UnknownService,
    UnknownVersion,
    Unreadable,
)
from ..core.model import ModelVersion
from ..core.service import Deployment, ServiceSpec, ServiceState
from ..core.trail import Actor
from ..home.owner import me
from ..places.hosting import Hosting
from ..registry.find import find_model, find_version, split_name
from .noted import note

#: Seconds that a service has to answer, and between two looks at whether it does.
PATIENCE: Seconds = 240.0
_LOOK = 0.05

#: What stays as it was in a service that is there, where nothing else is asked for.
_KEPT = ("replicas", "body", "connections", "patience", "window")


def read_deployment(**asked: Any) -> Deployment:
    """What was asked for, strictly; raises `InvalidSpec`, which names each fault."""
    return read_input(Deployment, {name: value for name, value in asked.items() if value is not None}, "deployment")


def read_text(text: str) -> dict[str, Any]:
    """The model and version of "churn@3", "churn@champion" or "churn", as a deployment has them."""
    model, number = split_name(text)
    return {"model": model, "version": int(number) if number is not None and number.isdigit() else number}


def hosting_of(place: str) -> Hosting:
    """Where the services of a place live.

    Raises
    ------
    InvalidSpec : there is no such place, or it has none.
    """
    hosting = places.get(place).hosting()
    if hosting is None:
        raise InvalidSpec(f"The place {place!r} has no services yet", "it has clusters only", "Deploy to this machine.")
    return hosting


async def list_services() -> list[ServiceState]:
    """The services of all places, by name."""
    found = []
    for name in places.names():
        with contextlib.suppress(
            MlopsError
        ):  # a place that can't be asked hides no other one; lists of clusters say so
            hosting = places.get(name).hosting()
            found += await hosting.services() if hosting is not None else []
    return sorted(found, key=lambda state: state.name)


async def find_service(name: str) -> ServiceState:
    """The service of that name, wherever it lives; raises `UnknownService`."""
    found = {state.name: state for state in await list_services()}
    if name not in found:
        raise UnknownService.named(str(name), found)
    return found[name]


def check_caller(caller: str) -> None:
    """Raise `InvalidInput` where a caller can't be called so: names go into counts and lists."""
    if not caller or len(caller) > 100 or not caller.isprintable():
        raise InvalidInput(f"A caller can't be called {caller[:200]!r}", "a name has 1 to 100 characters", "")


async def deploy(asked: Deployment, actor: Actor | None = None) -> tuple[ServiceState, ServiceSpec]:
    """Make a service, or change one. Returns as soon as that is on record: `until_so` waits for it.

    Parameters
    ----------
    actor : who asks; default: the user of this process.

    Raises
    ------
    UnknownModel, UnknownVersion, Refused : there is no such version, or it isn't one's own.
    Conflict, InvalidSpec, StartFailed, StorageFull : as `Hosting.deploy`.
    """
    version, hosting = await asyncio.to_thread(_version, asked), hosting_of(asked.place)
    name, served = asked.name or asked.model, ""
    bounds = {field: getattr(asked, field) for field in _KEPT}
    with contextlib.suppress(UnknownService, Unreadable):
        before = await hosting.spec(name)
        if before.model == asked.model:
            served = before.version_name
            bounds = {field: getattr(before, field) if value is None else value for field, value in bounds.items()}
    spec = ServiceSpec(
        name=name,
        model=asked.model,
        version=version.number,
        digest=version.digest,
        owner=me(),
        created=time.time(),
        place=asked.place,
        revision=secrets.token_hex(6),
        port=asked.port,
        **{field: value for field, value in bounds.items() if value is not None},
    )
    state = await hosting.deploy(spec)
    changed = {"before": served, "after": spec.version_name, "why": asked.why, "digest": spec.digest}
    await note(asked.model, actor, "deployed", spec.version_name, name, **changed)
    return state, spec


async def until_so(spec: ServiceSpec, actor: Actor | None = None) -> ServiceState:
    """Wait until a service answers with what was asked for.

    Parameters
    ----------
    actor : who asked; default: the user of this process.

    Raises
    ------
    StartFailed : why it doesn't. One that served another version goes on with that; a new one is gone again.
    Conflict : somebody else has asked for something else meanwhile.
    NotReady : it takes too long; it goes on.
    """
    hosting, deadline = hosting_of(spec.place), time.monotonic() + PATIENCE
    while True:
        state = await hosting.get(spec.name)
        if state.revision == spec.revision and state.problem is None:
            return state
        if state.revision == spec.revision or state.phase in ("dead", "stopped"):
            raise await _failed(hosting, state, spec, actor)
        if state.wanted != spec.revision:
            raise Conflict(f"{spec.version_name} isn't deployed", f"somebody asked for another {spec.name!r} since")
        if time.monotonic() > deadline:
            why = f"{spec.version_name} was not ready within {PATIENCE:.0f} s"
            raise NotReady(f"The service {spec.name!r} isn't ready", why, "Look at its log.")
        await asyncio.sleep(_LOOK)


async def _failed(hosting: Hosting, state: ServiceState, spec: ServiceSpec, actor: Actor | None) -> MlopsError:
    """Why it doesn't answer. Of a service that was made for this nothing is left."""
    problem = state.problem or Problem(what=f"The service {spec.name!r} has stopped")
    goes_on = state.version_name if state.version else ""
    if not state.version:
        await hosting.stop(spec.name)
        if state.created == spec.created:
            await hosting.forget(spec.name)
    told = {"before": spec.version_name, "after": goes_on, "digest": spec.digest}
    why = f"{problem.what}: {problem.why}" if problem.why else problem.what
    await note(spec.model, actor, "failed", spec.version_name, spec.name, why=why, **told)
    todo = f"{problem.todo} {goes_on} serves on.".strip() if goes_on else problem.todo
    return StartFailed(problem.what, problem.why, todo)


def _version(asked: Deployment) -> ModelVersion:
    folder = find_model(asked.model)
    if asked.version == "champion" and folder.aliases().champion is None:
        numbers = folder.numbers()
        raise UnknownVersion(
            f"{asked.model} has no champion",
            "none of its versions was promoted, so that its name means none",
            f"Promote one, or say which: {asked.model}@{numbers[-1]}." if numbers else "Save one first.",
        )
    version = find_version(folder, asked.version)
    if version.registered:
        raise Refused(f"{version.name} isn't served", "others registered it in MLflow, and it would run their code", "")
    return version
