"""The one door through which clusters are started: by the server, the kernel, the panel and the command line.

What is to hold for every start (checks, the administrator's rules, the accounts) stands here and nowhere else: a test
sees to it that no other code calls `Backend.start`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from ... import places
from ...core.budget import check_priced
from ...core.cluster import ClusterSpec, ClusterState
from ...core.errors import MlopsError
from ...core.profile import Profile
from ...home import settings
from ...places import profiles
from .admit import admit, withdraw
from .spec import new_spec


async def start(
    profile: str | Profile | None = None,
    name: str | None = None,
    workers: int | None = None,
    group: str | None = None,
    packages: Sequence[str] | None = None,
) -> ClusterState:
    """Start a cluster. Returns as soon as it is on record: it is listed from here on, in phase `starting`.

    Parameters
    ----------
    profile : the name of a profile, or a profile itself, saved or not; None is the default one.
    name : what to call it; None makes a free name from the profile's.
    workers : how many to start with, in `group` (None: the first); None is as the profile says.
    packages : requirements ("pandas==2.2.0") that its workers install before they start, where the place can do that.

    Raises
    ------
    UnknownProfile, InvalidSpec, UnknownGroup, OutOfRange : what is asked for can't be.
    Refused : a rule forbids it, or an account can't pay for it; or as the place says.
    NameTaken, StartFailed, StorageFull, Unavailable : as the place says.
    """
    spec, asked = await asyncio.to_thread(_spec, profile, name, workers, group, packages)
    backend = places.get(spec.profile.place)
    by_hand = (await asyncio.to_thread(settings.load)).currencies if backend.prices_hosts else {}
    if spec.price.currency not in by_hand.values():
        check_priced(spec.profile.limits, spec.price, spec.reference, listed=backend.prices_hosts)
    await backend.check(spec.profile)
    spec = await admit(spec, asked)
    try:
        state = await backend.start(spec)
    except BaseException:
        with contextlib.suppress(MlopsError):  # why there is no cluster is to be said; the money comes back by itself
            await asyncio.shield(withdraw(spec))
        raise
    if not isinstance(profile, Profile):
        await asyncio.to_thread(profiles.mark_used, spec.profile.name)
    return state


def default_profile() -> str:
    """The name of the profile that is meant where none is named: the settings' one, else the last used."""
    return settings.load().default_profile or profiles.all_profiles()[0].name


def _spec(
    profile: str | Profile | None,
    name: str | None,
    workers: int | None,
    group: str | None,
    packages: Sequence[str] | None,
) -> tuple[ClusterSpec, Profile]:
    """What to start, and the profile that it is made of as it is stored."""
    asked = found = profile if isinstance(profile, Profile) else profiles.get(profile or default_profile())
    if packages is not None:
        found = places.get(found.place).with_packages(found, list(packages))
    return new_spec(found, name, workers, group), asked
