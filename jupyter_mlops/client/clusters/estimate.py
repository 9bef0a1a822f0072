"""What a cluster would cost, said before it is started: the same to every window."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ... import places
from ...core.base import Seconds
from ...core.errors import MlopsError
from ...core.estimate import Estimate, Quotes, estimate
from ...core.price import REFERENCE
from ...core.profile import Profile
from ...core.settings import Settings


def estimate_of(profile: Profile, known: Settings, quotes: Quotes | None = None) -> Estimate:
    """The estimate for a cluster of `profile`, of a user with the settings `known`; `quotes` as its place tells."""
    price = profile.price or known.price
    return estimate(profile, price, known.adjust.reference(REFERENCE, price.currency), quotes)


async def estimates(profiles: Sequence[Profile], known: Settings, patience: Seconds = 0.0) -> list[Estimate]:
    """The estimates for clusters of these profiles, with what their places say of the machines that they have.

    Waits for `patience` seconds at most, for places that have to ask; with none, what they knew last counts.
    """
    quoted = await asyncio.gather(*(_quotes(profile, known, patience) for profile in profiles))
    return [estimate_of(profile, known, quotes) for profile, quotes in zip(profiles, quoted, strict=True)]


async def _quotes(profile: Profile, known: Settings, patience: Seconds) -> Quotes | None:
    try:
        return await places.get(profile.place).quotes(profile, profile.price or known.price, patience)
    except MlopsError:  # another package's place that is broken: its row in the list of clusters says so
        return None
