"""From what was used, and whose rates count for it, to money. What no rate is known for is counted beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .price import GB, HOUR, Cost, Price, Usage, sources
from .sums import NOTHING, Vector, plus


class Share(NamedTuple):
    """A worker, or a part of one: its `shape` (workers, CPUs, GB, GPUs) and the rates that count for it."""

    shape: Vector
    rates: Price


class Part(NamedTuple):
    """What holders with the same rates used, in seconds times their shapes, and what they hold now.

    `of_list` is which part these rates are of list prices on demand.
    """

    rates: Price
    used: Vector
    held: Vector = NOTHING
    holders: int = 0
    of_list: float = 1.0


def cost_of(parts: Sequence[Part], price: Price) -> Cost:
    """The sum of `parts`. Where there are none, `price` says whether nothing costs nothing or an unknown amount.

    Currencies are not converted: all rates must be in the currency of `price`.
    """
    total = unknown = unknown_now = NOTHING
    amount = per_hour = 0.0
    known, holds, lacks = not parts and price.known, False, 0
    for part in parts:
        total = plus(total, part.used)
        money = _money(part.rates, part.used)
        if money is None:
            unknown, unknown_now = plus(unknown, part.used), plus(unknown_now, part.held)
            lacks += part.holders
        else:
            known, amount = True, amount + money / HOUR
            if part.holders:
                holds, per_hour = True, per_hour + (_money(part.rates, part.held) or 0.0)
    source, date = sources([part.rates for part in parts] or [price])
    return Cost(
        amount=amount if known else None,
        per_hour=per_hour if holds or (known and not lacks) else None,
        unpriced=lacks,
        currency=price.currency,
        source=source,
        date=date,
        usage=usage_of(total),
        unknown=usage_of(unknown),
        unknown_now=usage_of(plus(NOTHING, unknown_now, HOUR)),
    )


def usage_of(used: Vector) -> Usage:
    """Seconds times shapes, as hours."""
    workers, cpus, gb, gpus = used
    return Usage(worker_hours=workers / HOUR, cpu_hours=cpus / HOUR, gb_hours=gb / HOUR, gpu_hours=gpus / HOUR)


def money_of(part: Part) -> float | None:
    """What a part costs so far; None where a needed rate is unknown."""
    money = _money(part.rates, part.used)
    return None if money is None else money / HOUR


def _money(rates: Price, amounts: Vector) -> float | None:
    return rates.per_hour(amounts[1], amounts[2] * GB, amounts[3])
