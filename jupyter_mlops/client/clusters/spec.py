"""From a profile to a spec: the name, the owner, the price."""

from __future__ import annotations

import time

from ... import places
from ...core.base import read_input
from ...core.cluster import ClusterSpec
from ...core.price import REFERENCE
from ...core.profile import Profile
from ...home import settings
from ...home.owner import me

#: Longest name from which others are still made by adding a number.
_LONGEST = 42


def new_spec(
    profile: Profile, name: str | None = None, workers: int | None = None, group: str | None = None
) -> ClusterSpec:
    """What to hand to `Backend.start`: `profile` with a name, an owner and a price.

    Parameters
    ----------
    profile : how to make it.
    name : of the cluster; None makes a free one from the profile's name.
    workers : how many to start with, instead of the profile's number.
    group : the group that `workers` is about; None is the first one.

    Raises
    ------
    InvalidSpec : the name isn't valid.
    UnknownGroup, OutOfRange : as the profile says.
    """
    if workers is not None:
        chosen = profile.group(group)
        chosen.check(workers)
        groups = [
            each.model_copy(update={"workers": workers}) if each.name == chosen.name else each
            for each in profile.groups
        ]
        profile = profile.model_copy(update={"groups": groups})
    elif group is not None:
        profile.group(group)
    known = settings.load()
    price = profile.price or known.price
    fields = {
        "name": free_name(profile) if name is None else name,
        "owner": me(),
        "profile": profile,
        "price": price,
        "reference": known.adjust.reference(REFERENCE, price.currency),
        "created": time.time(),
    }
    return read_input(ClusterSpec, fields, "cluster")


def free_name(profile: Profile) -> str:
    """A name for a cluster of `profile` that is free in its place."""
    return places.get(profile.place).free_name(profile.name[:_LONGEST].rstrip("-"))
