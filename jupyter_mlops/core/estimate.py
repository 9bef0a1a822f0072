"""What something will cost or take, said before or while it runs."""

from __future__ import annotations

from .base import Record, Seconds, Time
from .errors import Fault
from .price import GB, HOUR, Price, Reference, Source
from .profile import Profile


class Estimate(Record):
    """Money per hour of a profile's workers at start and at most, and the most it can cost before a limit ends it.

    None is unknown; `most` is also None when nothing bounds the time.
    """

    at_start: float | None
    at_most: float | None
    most: float | None
    currency: str
    source: Source
    cpus: float
    memory_gb: float
    #: About what its workers at the start would cost in a cloud, where nobody knows what they cost here.
    reference: Reference | None = None
    #: What whoever typed the profile can hardly have meant, as the place says; it may be saved all the same.
    doubts: list[Fault] = []


def estimate(profile: Profile, price: Price, rates: Price) -> Estimate:
    """The estimate for a cluster of `profile` at `price`; with its reference, at `rates`, where that is unknown."""

    def per_hour(price: Price, counts: list[int]) -> float | None:
        pairs = list(zip(counts, profile.groups, strict=True))
        return price.per_hour(
            sum(count * group.cpus for count, group in pairs),
            sum(count * group.memory for count, group in pairs),
            sum(count * group.gpus for count, group in pairs),
        )

    at_most = per_hour(price, [group.maximum for group in profile.groups])
    bounds = []
    if at_most is not None and profile.limits.lifetime is not None:
        bounds.append(at_most * profile.limits.lifetime / HOUR)
    if at_most is not None and profile.limits.budget is not None:
        bounds.append(profile.limits.budget)
    first = [group.workers for group in profile.groups]
    at_start = per_hour(price, first)
    elsewhere = None if at_start is not None else per_hour(rates, first)
    return Estimate(
        at_start=at_start,
        at_most=at_most,
        most=min(bounds, default=None),
        currency=price.currency,
        source=price.source,
        cpus=sum(group.workers * group.cpus for group in profile.groups),
        memory_gb=sum(group.workers * group.memory for group in profile.groups) / GB,
        reference=Reference(per_hour=elsewhere, currency=rates.currency, source=rates.source) if elsewhere else None,
    )


#: A smaller part than this says nothing of the speed: the first items also load what they import.
_TELLING = 0.02


def time_left(total: int | None, done: int, started: Time, now: Time) -> Seconds | None:
    """Seconds until `total` items are done at the speed so far; None while it can't be said."""
    if total is None or done <= 0 or done < total * _TELLING or now <= started:
        return None
    return max(0.0, (total - done) * (now - started) / done)
