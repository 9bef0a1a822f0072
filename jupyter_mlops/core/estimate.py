"""What something will cost or take, said before or while it runs."""

from __future__ import annotations

from collections.abc import Mapping

from .base import Name, Record, Saying, Seconds, Time
from .budget import CAUTION
from .errors import Fault
from .price import GB, HOUR, Cost, Price, Reference, Source, sources
from .profile import Group, Profile

#: Seconds for which Kubernetes' autoscaler keeps a machine that is empty, by its defaults: it is paid for until then.
KEPT: Seconds = 600.0


class Quote(Record):
    """What an hour of a group's worker costs on the machines that a place has, as it says before there are any workers.

    `per_hour` is a worker's share of the cheapest kind of machine that it fits on, `at_most` of the one that it may be
    given instead: on demand where there is no spot. `whole` is money for an hour of all machines that the group's
    workers at the start fill. None is unknown, and `source` says why.
    """

    group: Name
    per_hour: float | None = None
    at_most: float | None = None
    whole: float | None = None
    source: Source = None
    date: str = ""


class Quotes(Record):
    """The quotes for the groups of a profile, in `currency`, of the machines that there were at the time `asked`.

    `asked` is None while the place has not been asked, or doesn't answer: then there is no quote, and `why` says it.
    """

    groups: list[Quote] = []
    currency: str = "USD"
    asked: Time | None = None
    why: Saying = ""


class Estimate(Record):
    """Money per hour of a profile's workers at start and at most, and the most it can cost before a limit ends it.

    None is unknown; `most` is also None when nothing bounds the time. `asked` is None where somebody set the rates;
    else it is about what the machines cost that a place had then.
    """

    at_start: float | None
    at_most: float | None
    most: float | None
    currency: str
    source: Source
    date: str = ""
    cpus: float
    memory_gb: float
    asked: Time | None = None
    #: Money for an hour of the whole machines that the workers at the start fill, and for as long as these are kept
    #: when they are empty. None where that isn't known, and where rates were set.
    whole: float | None = None
    tail: float | None = None
    #: About what its workers at the start would cost in a cloud, where nobody knows what they cost here.
    reference: Reference | None = None
    #: What whoever typed the profile can hardly have meant, as the place says; it may be saved all the same.
    doubts: list[Fault] = []


def estimate(profile: Profile, price: Price, rates: Price, quotes: Quotes | None = None) -> Estimate:
    """The estimate for a cluster of `profile`.

    Parameters
    ----------
    price : the rates that somebody set for its workers.
    rates : about what resources cost in a cloud, for its reference.
    quotes : what its place says instead of `price`; None where it says nothing.
    """
    first = [group.workers for group in profile.groups]
    most = [group.maximum for group in profile.groups]
    whole, source, date = None, price.source, price.date
    if quotes is None:
        at_start, at_most = _by_rates(profile, price, first), _by_rates(profile, price, most)
    else:
        at_start = _by_quotes(profile, {each.group: each.per_hour for each in quotes.groups}, first)
        at_most = _by_quotes(profile, {each.group: each.at_most for each in quotes.groups}, most)
        whole = _by_quotes(profile, {each.group: each.whole for each in quotes.groups}, [min(1, n) for n in first])
        named = [Price(source=each.source, date=each.date) for each in quotes.groups]
        source, date = sources(named) if named else (quotes.why or None, "")
    bounds = []
    if at_most is not None and profile.limits.lifetime is not None:
        bounds.append(at_most * profile.limits.lifetime / HOUR)
    if at_most is not None and profile.limits.budget is not None:
        bounds.append(profile.limits.budget)
    elsewhere = None if at_start is not None else _by_rates(profile, rates, first)
    return Estimate(
        at_start=at_start,
        at_most=at_most,
        most=min(bounds, default=None),
        currency=price.currency,
        source=source,
        date=date,
        cpus=sum(group.workers * group.cpus for group in profile.groups),
        memory_gb=sum(group.workers * group.memory for group in profile.groups) / GB,
        asked=quotes.asked if quotes else None,
        whole=whole,
        tail=None if whole is None else whole * KEPT / HOUR,
        reference=Reference(per_hour=elsewhere, currency=rates.currency, source=rates.source) if elsewhere else None,
    )


def worker_at_most(group: Group, quote: Quote | None, price: Price, assumed: Price | None) -> float:
    """Money for an hour of a worker that it may come to, which is what is held for it.

    Where nobody knows what a spot worker costs on demand, which it may become, its price on spot isn't taken for that.

    Parameters
    ----------
    quote : what its place says; None where it says nothing.
    price : the rates that somebody set.
    assumed : the reference, for what has no price; None where nothing is assumed of that.
    """
    shape = (group.cpus, group.memory, group.gpus)
    known = price.per_hour(*shape) if quote is None or quote.at_most is None else quote.at_most
    if known is not None:
        return known
    least = 0.0 if quote is None else quote.per_hour or 0.0
    return least if assumed is None else max(least, CAUTION * (assumed.per_hour(*shape) or 0.0))


def to_finish(cost: Cost, left: Seconds | None) -> float | None:
    """Money that something that costs so much an hour will still cost in `left` seconds; None where that, or a part of
    what it costs, is unknown."""
    return None if left is None or cost.per_hour is None or cost.unpriced else cost.per_hour * left / HOUR


def _by_rates(profile: Profile, price: Price, counts: list[int]) -> float | None:
    pairs = list(zip(counts, profile.groups, strict=True))
    return price.per_hour(
        sum(count * group.cpus for count, group in pairs),
        sum(count * group.memory for count, group in pairs),
        sum(count * group.gpus for count, group in pairs),
    )


def _by_quotes(profile: Profile, amounts: Mapping[str, float | None], counts: list[int]) -> float | None:
    """The sum of a group's amount times its count; None where an amount is unknown that is needed."""
    total = 0.0
    for count, group in zip(counts, profile.groups, strict=True):
        amount = amounts.get(group.name)
        if count and amount is None:
            return None
        total += count * (amount or 0.0)
    return total


#: A smaller part than this says nothing of the speed: the first items also load what they import.
_TELLING = 0.02


def time_left(total: int | None, done: int, started: Time, now: Time) -> Seconds | None:
    """Seconds until `total` items are done at the speed so far; None while it can't be said."""
    if total is None or done <= 0 or done < total * _TELLING or now <= started:
        return None
    return max(0.0, (total - done) * (now - started) / done)
