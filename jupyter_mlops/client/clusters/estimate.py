"""What a cluster would cost, said before it is started: the same to every window."""

from __future__ import annotations

from ...core.estimate import Estimate, estimate
from ...core.price import REFERENCE
from ...core.profile import Profile
from ...core.settings import Settings


def estimate_of(profile: Profile, known: Settings) -> Estimate:
    """The estimate for a cluster of `profile`, of a user with the settings `known`."""
    price = profile.price or known.price
    return estimate(profile, price, known.adjust.reference(REFERENCE, price.currency))
