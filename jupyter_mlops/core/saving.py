"""What was saved, against what the same work would have cost: a careful baseline, and the steps from it to the cost."""

from __future__ import annotations

import math

from pydantic import computed_field

from .base import Record, Seconds, Time
from .costs import Part
from .ledger import Ledger
from .price import GB, HOUR, Price
from .profile import Profile, WorkerShape
from .sums import Vector

#: What the baseline is called where a saving is told.
CAREFUL = (
    "the same clusters, on demand at list prices, with the workers that they had before advice was followed, each kept "
    "until its longest lifetime (24 h at most), its budget or its owner’s next cluster instead of being stopped when "
    "nobody used it"
)

#: Nobody leaves a cluster alone for longer than that, in the baseline.
KEPT: Seconds = 24 * HOUR


class CostBaseline(Record):
    """What a cluster would have cost without what saves money: on demand, at list prices, in its receipt's currency.

    `listed` is what its groups used, at these prices; only what has a price is in it. `sized` is the same with the
    workers that groups had before they were sized by advice, of these groups only. `per_hour` is what an hour costs of
    what it held, so sized, when it was stopped because nobody used it, else 0; `until` is until when it would have gone
    on at most, and `most` is what its budget had left for that.
    """

    listed: dict[str, float] = {}
    sized: dict[str, float] = {}
    per_hour: float = 0
    until: Time = 0
    most: float | None = None

    def going_on(self, ended: Time, next_start: Time | None) -> float:
        """Money that it would have cost to go on when it `ended`, until its owner's `next_start` at most."""
        until = self.until if next_start is None else min(self.until, next_start)
        amount = self.per_hour * max(0.0, until - ended) / HOUR
        return amount if self.most is None else min(amount, self.most)


class Saving(Record):
    """From a baseline to what was paid: `baseline` − `stopped` − `sized` − `cheaper` = `paid`.

    `stopped` is what was not spent since clusters were stopped when nobody used them. It compares with hours that never
    were. `sized`, what workers cost less since their profile follows the advice of a run, and `cheaper`, what spot and
    discounts took off list prices, are measured. One that is negative was a loss.
    """

    paid: float = 0
    stopped: float = 0
    sized: float = 0
    cheaper: float = 0
    currency: str = "USD"

    @computed_field  # type: ignore[prop-decorator]  # mypy doesn't know properties below decorators
    @property
    def baseline(self) -> float:
        """What it would have cost."""
        return math.fsum([self.paid, self.stopped, self.sized, self.cheaper])

    def __add__(self, other: Saving) -> Saving:
        return Saving(
            paid=self.paid + other.paid,
            stopped=self.stopped + other.stopped,
            sized=self.sized + other.sized,
            cheaper=self.cheaper + other.cheaper,
            currency=self.currency,
        )


def baseline_of(
    ledger: Ledger, price: Price, profile: Profile, created: Time, ended: Time, is_idle: bool
) -> CostBaseline:
    """The baseline of a cluster whose ledger still has the workers that it ends with.

    Parameters
    ----------
    price : counts where a host has no price of its own.
    profile : what workers had before; what would have ended it, too.
    created, ended : seconds since the epoch.
    is_idle : whether it ends because nobody used it.
    """
    before = {group.name: group.before for group in profile.groups if group.before is not None}
    listed: dict[str, float] = {}
    sized: dict[str, float] = {}
    per_hour = 0.0
    for (group, _), part in ledger.parts(price, ended).items():
        used = _on_demand(part, part.used)
        if used is None:
            continue
        shape = before.get(group)
        listed[group] = listed.get(group, 0.0) + used / HOUR
        if shape is not None:
            sized[group] = sized.get(group, 0.0) + (_on_demand(part, _shaped(part.used, shape)) or 0.0) / HOUR
        per_hour += _on_demand(part, part.held if shape is None else _shaped(part.held, shape)) or 0.0
    if not is_idle:
        return CostBaseline(listed=listed, sized=sized)
    limits, paid = profile.limits, ledger.cost(price, ended).amount or 0.0
    return CostBaseline(
        listed=listed,
        sized=sized,
        per_hour=per_hour,
        until=created + min(KEPT, KEPT if limits.lifetime is None else limits.lifetime),
        most=None if limits.budget is None else max(0.0, limits.budget - paid),
    )


def saving_of(amount: float, currency: str, baseline: CostBaseline, ended: Time, next_start: Time | None) -> Saving:
    """What was saved with a cluster that `ended`, and cost `amount`; its owner started another one at `next_start`."""
    return Saving(
        paid=amount,
        stopped=baseline.going_on(ended, next_start),
        sized=math.fsum(before - baseline.listed.get(group, 0.0) for group, before in baseline.sized.items()),
        cheaper=math.fsum(baseline.listed.values()) - amount,
        currency=currency,
    )


def _shaped(amounts: Vector, shape: WorkerShape) -> Vector:
    """The same workers, or hours of them, where each had this shape."""
    return (amounts[0], amounts[0] * shape.cpus, amounts[0] * shape.memory / GB, amounts[0] * shape.gpus)


def _on_demand(part: Part, amounts: Vector) -> float | None:
    """What `amounts` of a part cost on demand, at list prices; None where it has no price."""
    paid = part.rates.per_hour(amounts[1], amounts[2] * GB, amounts[3])
    return None if paid is None else paid / part.of_list
