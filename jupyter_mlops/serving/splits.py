"""What people decide about a candidate, by whatever door: it is done, and stands in the trail of its model."""

from __future__ import annotations

from ..core.candidate import CandidateState
from ..core.errors import Conflict
from ..core.service import Deployment, ServiceSpec, ServiceState
from ..core.trail import Actor
from ..core.words import percent
from .deploy import deploy, until_so
from .find import find_service, hosting_of
from .noted import note
from .wishes import promoted, split_words, tried, with_share, without_candidate


async def change_split(
    name: str,
    actor: Actor | None = None,
    *,
    share: float | None = None,
    paused: bool | None = None,
    why: str = "",
    expected: str = "",
) -> ServiceState:
    """Give a candidate another share, or have it wait or go on. Returns when that is so.

    Parameters
    ----------
    share : 0 to 1. A canary then stays there until it is told to go on (`paused=False`).
    expected : the wish that whoever asks has seen: `ServiceState.wanted`.

    Raises
    ------
    UnknownService
    InvalidSpec : what is to wait, or go on, is no canary.
    Conflict : there is no candidate, or somebody has wanted something else since.
    Unavailable : the service doesn't live.
    StartFailed : it needs more replicas for that, and they can't be started: its share is as before.
    NotReady : it takes too long; it goes on.
    """
    state = await find_service(name)
    hosting, before = hosting_of(state.place), ""

    def change(spec: ServiceSpec) -> ServiceSpec:
        nonlocal before
        before = _words(spec)
        return with_share(spec, share, paused)

    spec = await hosting.change(name, change, expected)
    what = f"{spec.model}@{tried(spec).version}"
    await note(spec.model, actor, "split", what, name, before=before, after=_words(spec), why=why)
    try:
        return await until_so(spec, actor)
    except Conflict:  # it was so; a canary may have gone on, or back, since
        return await hosting.get(name)


async def promote(
    name: str, actor: Actor | None = None, *, why: str = "", expected: str = ""
) -> tuple[ServiceState, ServiceSpec]:
    """Have the candidate be the version that serves. Returns as soon as that is on record: `until_so` waits for it.

    Raises
    ------
    UnknownService, Unavailable
    Conflict : there is no candidate, or somebody has wanted something else since.
    """
    state = await find_service(name)
    hosting, before = hosting_of(state.place), ""

    def change(spec: ServiceSpec) -> ServiceSpec:
        nonlocal before
        before = f"{spec.version_name}, and {split_words(spec.model, tried(spec))}"
        return promoted(spec)

    spec = await hosting.change(name, change, expected)
    told = {"before": before, "after": spec.version_name, "why": why, "digest": spec.digest}
    await note(spec.model, actor, "deployed", spec.version_name, name, **told)
    return await hosting.get(name), spec


async def roll_back(
    name: str, actor: Actor | None = None, *, why: str = "", expected: str = ""
) -> tuple[ServiceState, ServiceSpec]:
    """Take the candidate back; where there is none, have the version serve again that did so before. Returns as soon as
    that is on record: `until_so` waits for it.

    Raises
    ------
    UnknownService, UnknownVersion, Unavailable, StartFailed
    Conflict : there is nothing to go back to, or somebody has wanted something else since.
    """
    state = await find_service(name)
    hosting = hosting_of(state.place)
    spec = await hosting.spec(name)
    if spec.candidate is None:
        return await _serve_again(spec, actor, why, expected or spec.revision)
    before = split_words(spec.model, spec.candidate)
    spec = await hosting.change(name, without_candidate, expected)
    told = {"before": before, "after": spec.version_name, "why": why}
    await note(spec.model, actor, "rolled back", before.partition(" ")[0], name, **told)
    return await hosting.get(name), spec


async def _serve_again(
    spec: ServiceSpec, actor: Actor | None, why: str, expected: str
) -> tuple[ServiceState, ServiceSpec]:
    """Have the version before serve again."""
    if not spec.previous:
        raise Conflict(
            f"{spec.name!r} can't be rolled back", f"nothing served before {spec.version_name}", "Deploy a version."
        )
    asked = Deployment(model=spec.model, version=spec.previous, name=spec.name, why=why)
    return await deploy(asked, actor, expected=expected, verb="rolled back")


async def candidate_of(name: str) -> CandidateState | None:
    """How a candidate compares with the version that serves; None where none is tried. Raises `UnknownService`."""
    return (await find_service(name)).candidate


def _words(spec: ServiceSpec) -> str:
    candidate = tried(spec)
    return percent(candidate.share) + (", paused" if candidate.paused else "")
