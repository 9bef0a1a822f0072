"""What an hour of a worker costs, and who says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BeforeValidator, Field

from .base import Input, Record
from .words import fine_money, quantity

HOUR = 3600.0
GB = 1e9

#: What two sums of the same money may differ by, since numbers have sixteen digits; absolutely, or as a part of it.
ROUNDING = 1e-9

Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]

#: What people read in the place of a source when nobody set a price.
NO_PRICE = "no price is set"

#: What they read of rates that somebody set, and didn't say where they are from.
NO_SOURCE = "rates that name no source"

#: Who says what something costs; None: nobody set a price. Older files have the sentence for that.
Source = Annotated[str | None, BeforeValidator(lambda source: None if source == NO_PRICE else source)]


def _code(currency: object) -> object:
    """A code of three letters is the same however it is written: "eur" is EUR."""
    if isinstance(currency, str) and len(code := currency.strip()) == 3 and code.isascii() and code.isalpha():
        return code.upper()
    return currency


#: What money is in: a code of three letters, or a word of one's own.
Currency = Annotated[str, BeforeValidator(_code), Field(min_length=1, max_length=8)]


class Price(Input):
    """Rates per resource-hour. A rate that nobody named is None: unknown, never free.

    `cpu_hour`, `gb_hour` and `gpu_hour` are money for one CPU, one GB (10⁹ bytes) of memory and one GPU for an hour.
    """

    cpu_hour: Rate | None = None
    gb_hour: Rate | None = None
    gpu_hour: Rate | None = None
    currency: Currency = "USD"
    source: Source = None
    date: str = ""

    @property
    def known(self) -> bool:
        """Whether it has a rate for CPUs or for memory."""
        return self.cpu_hour is not None or self.gb_hour is not None

    def per_hour(self, cpus: float, memory: float, gpus: float = 0) -> float | None:
        """Money for one hour of `cpus` CPUs, `memory` bytes and `gpus` GPUs; None when a needed rate is unknown.

        The sum of resource times rate, as in the OpenCost specification (opencost.io/docs/specification). A rate is
        needed when its resource is used; of CPU and memory one suffices, for people who price by one of them.
        """
        if not self.known:
            return None
        if gpus and self.gpu_hour is None:
            return None
        return cpus * (self.cpu_hour or 0) + memory / GB * (self.gb_hour or 0) + gpus * (self.gpu_hour or 0)


#: What resources cost in a cloud, about: OpenCost's default rates (opencost.io/docs), which are those of an n1 of
#: Google in us-central1 and within a quarter of others. A reference is never a price: it is in no sum and no receipt.
REFERENCE = Price(cpu_hour=0.031611, gb_hour=0.004237, gpu_hour=0.95, source="OpenCost’s default rates")


class Usage(Record):
    """Resources held over time. Addable, so that totals per group, run or cluster are sums."""

    worker_hours: float = 0
    cpu_hours: float = 0
    gb_hours: float = 0
    gpu_hours: float = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            worker_hours=self.worker_hours + other.worker_hours,
            cpu_hours=self.cpu_hours + other.cpu_hours,
            gb_hours=self.gb_hours + other.gb_hours,
            gpu_hours=self.gpu_hours + other.gpu_hours,
        )


class HostPrice(Record):
    """What a host costs: the machine that workers run on.

    `per_hour` is money for an hour of the whole host, `rates` what of it each resource on it is charged; both unknown
    where nobody knows the host's price. `of_list` is which part that is of the list price on demand: 0.3 for spot at
    that, 0.82 after a discount of 18 %; 1 where nobody knows, so that no saving is claimed.
    """

    rates: Price = Price()
    per_hour: Rate | None = None
    of_list: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0


class Dedicated(Record):
    """Money for whole hosts while they held any worker, each host once, however many workers shared it.

    `unknown_hours` are the part of `host_hours` without a known price; `amount` None means all of them.
    """

    amount: float | None = None
    per_hour: float | None = None
    host_hours: float = 0
    unknown_hours: float = 0


class Cost(Record):
    """Money so far and per hour, with what it rests on. `amount` None means that no needed rate is known.

    `unpriced` are the workers now for which no price is known: they are not in `per_hour`. `unknown` is the part of
    `usage` that no price is known for: it is not in `amount`; an hour adds `unknown_now` to it. `dedicated` is None
    where a place doesn't tell of hosts' prices.
    """

    amount: float | None = None
    per_hour: float | None = None
    unpriced: int = 0
    currency: str = "USD"
    source: Source = None
    date: str = ""
    usage: Usage = Usage()
    unknown: Usage = Usage()
    unknown_now: Usage = Usage()
    dedicated: Dedicated | None = None

    @property
    def lacks(self) -> str:
        """What `amount` is lacking, in words: "12 CPU-hours unknown". Empty when it is all, or all is unknown."""
        gpus, cpus = self.unknown.gpu_hours, self.unknown.cpu_hours
        if self.amount is None or not (gpus or cpus):
            return ""
        return f"{quantity(gpus or cpus)} {'GPU' if gpus else 'CPU'}-hours unknown"

    @property
    def total(self) -> str:
        """The sum in words, as finely as it deserves, and what of it isn't known: "$0.42 + 12 CPU-hours unknown"."""
        return " + ".join(filter(None, [fine_money(self.amount, self.currency), self.lacks]))

    def __repr__(self) -> str:
        return f"<{self.total}>"


class Reference(Record):
    """About what an hour of what is held now would cost in a cloud. It is told where nobody knows a price, and is in no
    sum, budget or receipt."""

    per_hour: float
    currency: str = "USD"
    source: Source = None


def reference_of(cost: Cost, rates: Price) -> Reference | None:
    """What is held now at the reference `rates`; None where anything of it has a price, or nothing is held."""
    now = cost.unknown_now
    per_hour = rates.per_hour(now.cpu_hours, now.gb_hours * GB, now.gpu_hours)
    if cost.amount is not None or not per_hour:
        return None
    return Reference(per_hour=per_hour, currency=rates.currency, source=rates.source)


#: Prices that a sum names one by one.
_NAMED = 3


def sources(prices: Iterable[Price]) -> tuple[str | None, str]:
    """Who says so, and when: the sources of these prices in one sentence, and their date if it is the same for all.

    Where nobody set a price, a sentence that names other sources says so; alone it is None.
    """
    found = list(dict.fromkeys((_who(price), price.date) for price in prices))
    if found == [(NO_PRICE, "")]:
        return None, ""
    dates = {date for _, date in found if date}
    if len(dates) <= 1:
        words, date = [source for source, _ in found], "".join(dates)
    else:
        words, date = [f"{source} ({date})" if date else source for source, date in found], ""
    more = [f"{len(words) - _NAMED} more"] if len(words) > _NAMED else []
    return "; ".join([*words[:_NAMED], *more]), date


def _who(price: Price) -> str:
    return price.source or (NO_SOURCE if price.known else NO_PRICE)
