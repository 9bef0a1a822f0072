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
    Unavailable,
    UnknownService,
    UnknownVersion,
    Unreadable,
)
from ..core.expected import Expected
from ..core.model import ModelVersion
from ..core.price import Price
from ..core.profile import Profile
from ..core.service import LOG, Deployment, ServiceSpec, ServiceState
from ..core.trail import Actor
from ..home import settings
from ..home.alarms import follow, home_id, unfollow
from ..home.elsewhere import is_known_elsewhere
from ..home.owner import me
from ..places import profiles
from ..places.hosting import Hosting
from ..registry.find import find_model, find_version, split_name
from .champion import check_not_back
from .find import find_service, hosting_of
from .noted import note
from .wishes import check_not_logged, check_private, split_words, tried, with_candidate

#: Seconds that a service has to answer.
PATIENCE: Seconds = 240.0

#: Seconds for a place to say what its machines cost.
_QUOTE: Seconds = 3.0

#: What stays as it was in a service that is there, where nothing else is asked for.
_KEPT = (
    "replicas",
    "body",
    "connections",
    "patience",
    "window",
    "log",
    "log_rows",
    "keep",
    "private",
    "pipeline",
    "retrain",
    "retrain_rows",
)


def read_deployment(**asked: Any) -> Deployment:
    """What was asked for, strictly; raises `InvalidSpec`, which names each fault."""
    return read_input(Deployment, {name: value for name, value in asked.items() if value is not None}, "deployment")


def read_text(text: str) -> dict[str, Any]:
    """The model and version of "churn@3", "churn@champion" or "churn", as a deployment has them."""
    model, number = split_name(text)
    return {"model": model, "version": int(number) if number is not None and number.isdigit() else number}


def check_caller(caller: str) -> None:
    """Raise `InvalidInput` where a caller can't be called so: names go into counts and lists."""
    if not caller or len(caller) > 100 or not caller.isprintable():
        raise InvalidInput(f"A caller can't be called {caller[:200]!r}", "a name has 1 to 100 characters", "")


async def deploy(
    asked: Deployment, actor: Actor | None = None, *, expected: str = "", verb: str = "deployed"
) -> tuple[ServiceState, ServiceSpec]:
    """Make a service, or change one, or have another version tried beside the one that serves. Returns as soon as that
    is on record: `until_so` waits for it.

    Parameters
    ----------
    actor : who asks; default: the user of this process.
    expected : the wish that whoever asks has seen, of a service that lives; where there is another since, nothing is
        done.
    verb : for the trail.

    Raises
    ------
    UnknownModel, UnknownVersion, Refused : there is no such version, or it isn't one's own.
    Conflict, InvalidSpec, StartFailed, StorageFull : as `Hosting.deploy`, `with_candidate` and `check_not_back`.
    UnknownProfile : there is no such profile.
    """
    version, name, served, home = await asyncio.to_thread(_version, asked), asked.name or asked.model, "", ""
    place = await _place_of(asked, name)
    hosting, profile, new, lasting = hosting_of(place), None, True, dict[str, Any](chosen=time.time())
    if asked.way is not None:
        return await _try_beside(asked, version, name, place, actor)
    if asked.share is not None or asked.steps is not None:
        raise InvalidSpec(
            "Only a version that is tried has a share", "", "Say how: canary=True, ab=0.5 or shadow=True."
        )
    bounds = {field: getattr(asked, field) for field in _KEPT}
    try:
        before = await hosting.spec(name)
        if before.model == asked.model:
            served, profile, home, new = before.version_name, before.profile, before.home, False
            same = before.digest == version.digest
            if "version" not in asked.model_fields_set:
                await asyncio.to_thread(check_not_back, before, version)
            lasting["previous"] = before.version
            if same:
                lasting = {field: getattr(before, field) for field in ("candidate", "previous", "chosen")}
            bounds = {field: getattr(before, field) if value is None else value for field, value in bounds.items()}
    except UnknownService:
        pass
    except Unreadable:
        new = False  # nobody knows what was private there: nothing is logged before somebody says so
    check_private(version, bounds["private"] or [], served if asked.private is None else "")
    profile = await asyncio.to_thread(_profile, asked, place, profile)
    if not hosting.logs_requests:
        check_not_logged(asked, place)
    elif new and bounds["log"] is None:
        bounds["log"] = LOG
    spec = ServiceSpec(
        name=name,
        model=asked.model,
        version=version.number,
        digest=version.digest,
        owner=me(),
        created=time.time(),
        place=place,
        revision=secrets.token_hex(6),
        deployment=secrets.token_hex(6),
        port=asked.port,
        profile=None if profile is None else await asyncio.to_thread(_with_packages, profile, version),
        price=Price() if profile is None else await _price(profile),
        **lasting,
        **{field: value for field, value in bounds.items() if value is not None},
    )
    if spec.retrain == "on alarm":
        spec = spec.model_copy(update={"home": await asyncio.to_thread(home_id)})
    # What that rests on may be another now: whether there is a log, and in which home folder the notebook lies.
    anew = spec.retrain == "on alarm" and (asked.log is not None or home not in ("", spec.home))
    if asked.pipeline or asked.retrain is not None or anew:
        await asyncio.to_thread(_check_retraining, spec, hosting)
    if expected:
        spec = await hosting.change(name, lambda before: spec.model_copy(update=_lasting(before)), expected)
        state = await hosting.get(name)
    else:
        state = await hosting.deploy(spec)
    changed = {"before": served, "after": spec.version_name, "why": asked.why, "digest": spec.digest}
    await note(asked.model, actor, verb, spec.version_name, name, **changed)
    await _follow(spec, hosting)
    return state, spec


async def _follow(spec: ServiceSpec, hosting: Hosting) -> None:
    """Have its alarms retrain a service, or no more, as it is wanted now."""
    await asyncio.to_thread(follow, spec, elsewhere=not hosting.tells_alarms)
    if spec.retrain == "on alarm":
        from ..pipelines.clock import ensure_clock

        await asyncio.to_thread(ensure_clock)


def _check_retraining(spec: ServiceSpec, hosting: Hosting) -> None:
    from .source import check_retraining  # notebooks' parts: not at the server's start

    check_retraining(spec, hosting)


def _lasting(before: ServiceSpec) -> dict[str, Any]:
    """What a service keeps for as long as it lives."""
    return {"created": before.created, "port": before.port}


async def _try_beside(
    asked: Deployment, version: ModelVersion, name: str, place: str, actor: Actor | None
) -> tuple[ServiceState, ServiceSpec]:
    """Have a version tried beside the one that serves."""
    hosting, way = hosting_of(place), asked.way or "canary"
    bounds = [field for field in (*_KEPT, "port", "profile") if field != "private"]
    if given := [field for field in bounds if getattr(asked, field) is not None]:
        why = "a version that is tried shares the bounds of the one that serves"
        raise InvalidSpec(f"{given[0]} can't be changed now", why, "Leave it out, or deploy with it first.")
    before = await hosting.spec(name)
    if before.model != asked.model:
        why = f"it serves the model {before.model!r}"
        raise Conflict(f"{version.name} can't be tried beside {before.version_name}", why, "Choose another name.")
    if "version" not in asked.model_fields_set:
        await asyncio.to_thread(check_not_back, before, version)
    private = before.private if asked.private is None else asked.private
    check_private(version, private, before.version_name if asked.private is None else "")
    expected = await _expected_of(before, version)

    def change(now: ServiceSpec) -> ServiceSpec:
        known = expected if now.digest == before.digest else None
        return with_candidate(now, version, way, asked.share, asked.steps, private, known)

    spec = await hosting.change(name, change)
    told = split_words(spec.model, tried(spec))
    changed = {"before": before.version_name, "after": told, "why": asked.why, "digest": version.digest}
    await note(asked.model, actor, "deployed", version.name, name, **changed)
    return await hosting.get(name), spec


async def _expected_of(served: ServiceSpec, version: ModelVersion) -> Expected | None:
    from .paired import expected_beside  # numpy: not at the server's start

    return await expected_beside(served, version)


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
            raise Conflict(f"{_meant(spec)} isn't deployed", f"somebody asked for another {spec.name!r} since")
        if time.monotonic() > deadline:
            why = f"{_meant(spec)} was not ready within {PATIENCE:.0f} s"
            if state.problem is not None:
                why = f"{why}: {state.problem.what}" + (f" ({state.problem.why})" if state.problem.why else "")
            raise NotReady(f"The service {spec.name!r} isn't ready", why, "Look at its log.")
        await asyncio.sleep(hosting.every)


def _meant(spec: ServiceSpec) -> str:
    """The version that a wish is about: the one that is to be tried, or else to serve."""
    return spec.version_name if spec.candidate is None else f"{spec.model}@{spec.candidate.version}"


async def _failed(hosting: Hosting, state: ServiceState, spec: ServiceSpec, actor: Actor | None) -> MlopsError:
    """Why it doesn't answer. Of a service that was made for this nothing is left."""
    problem = state.problem or Problem(what=f"The service {spec.name!r} has stopped")
    goes_on = state.version_name if state.version else ""
    if state.version:
        await hosting.withdraw(spec)
        with contextlib.suppress(MlopsError):  # what didn't start is told, and no other thing
            await _follow(await hosting.spec(spec.name), hosting)
    else:
        await hosting.stop(spec.name)
        await asyncio.to_thread(unfollow, spec.name)
        if state.created == spec.created:
            await hosting.forget(spec.name)
    meant = _meant(spec)
    told = {"before": meant, "after": goes_on, "digest": spec.digest}
    await note(spec.model, actor, "failed", meant, spec.name, why=problem.words, **told)
    todo = f"{problem.todo} {goes_on} serves on.".strip() if goes_on else problem.todo
    return StartFailed(problem.what, problem.why, todo)


async def _place_of(asked: Deployment, name: str) -> str:
    """Where a service is to live: where somebody says, where its profile is, where it lives already, else here. Raises
    `Conflict` where it lives elsewhere: a name means one service."""
    there, silent = await _lives(name)
    place = asked.place
    if place is None and asked.profile is not None:
        place = (await asyncio.to_thread(profiles.get, asked.profile)).place
    if place is None:
        if silent and not there and await asyncio.to_thread(is_known_elsewhere, name):
            why = f"there was one elsewhere, where nobody can be asked now: {silent}"
            todo = "Try again later, or say where: mlops.deploy(…, place='local')."
            raise Unavailable(f"Nobody knows where the service {name!r} lives", why, todo)
        return there or "local"
    if there and place != there:
        raise Conflict(
            f"There is a service {name!r} already",
            f"in the place {there!r}",
            "Choose another name, or stop it first.",
        )
    return place


async def _lives(name: str) -> tuple[str, str]:
    """The place where a service of that name lives, empty for none; and why that isn't known, where a place that may
    have it doesn't answer."""
    try:
        state = await find_service(name)
    except UnknownService:
        return "", ""
    except Unavailable as error:
        return "", error.why
    return "" if state.phase == "stopped" else state.place, ""


def _profile(asked: Deployment, place: str, before: Profile | None) -> Profile | None:
    """The profile that pods of a service are made by: what is asked for, as it was, or the first of its place."""
    if not hosting_of(place).by_profile:
        if asked.profile is not None:
            why = f"services of the place {place!r} are processes of this machine"
            raise InvalidSpec("No profile is needed", why, "Leave it out.")
        return None
    if asked.profile is not None:
        found = profiles.get(asked.profile)
        if found.place != place:
            raise InvalidSpec(f"The profile {found.name!r} is of the place {found.place!r}, not of {place!r}")
        return found
    known = [profile for profile in profiles.all_profiles() if profile.place == place]
    if before is None and not known:
        why = "there is none, and no way to it is known"
        raise InvalidSpec(f"A service of the place {place!r} needs a profile of it", why, "Save one: see `profiles`.")
    return before or known[0]


def _with_packages(profile: Profile, version: ModelVersion) -> Profile:
    """The profile, such that pods have the packages that a version was saved with. Asks pip, for a second."""
    wanted = [f"{name}=={number}" for name, number in version.packages.items()]
    return places.get(profile.place).with_packages(profile, wanted)


async def _price(profile: Profile) -> Price:
    """What resources of its pods cost: rates that somebody set, else what the place says of its machines."""
    price, group = profile.price or (await asyncio.to_thread(settings.load)).price, profile.groups[0]
    quotes = await places.get(profile.place).quotes(profile, price, _QUOTE)
    told = None if quotes is None else next((each for each in quotes.groups if each.group == group.name), None)
    if quotes is None or told is None or told.per_hour is None:
        return price
    return Price(
        cpu_hour=told.per_hour / group.cpus, gpu_hour=0, currency=quotes.currency, source=told.source, date=told.date
    )


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
