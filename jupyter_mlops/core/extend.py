"""Other limits for a live cluster: more money, more time, or less."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import Input, Period, Record, Seconds, Time, read_input
from .errors import InvalidSpec, OutOfRange
from .profile import Limits
from .words import about_and_assumed, fine_money, span

Money = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class LimitChange(Input):
    """What shall be other than it is: the whole `budget` or `lifetime`, or so much more of them.

    Money is in the cluster's currency, times are seconds, or written like "1 h".
    """

    budget: Money | None = None
    lifetime: Period | None = None
    more_money: Money | None = None
    more_time: Period | None = None

    @classmethod
    def typed(cls, budget: str | None, lifetime: str | None) -> LimitChange:
        """As people type it: "30" and "30h" are the whole, "+10" and "+1h" so much more.

        Raises `InvalidSpec`.
        """
        fields: dict[str, object] = {}
        for text, whole, more in ((budget, "budget", "more_money"), (lifetime, "lifetime", "more_time")):
            if text is not None:
                text = text.strip()
                fields[more if text.startswith("+") else whole] = text.removeprefix("+").strip()
        return read_input(cls, fields, "limit")


class LimitsEntry(Record):
    """A line of `limits.jsonl`: the limits of a cluster from `time` on."""

    time: Time
    limits: Limits


def changed(
    limits: Limits, change: LimitChange, spent: float, assumed: float, age: Seconds, currency: str
) -> tuple[Limits, str]:
    """The limits after a change, and what changed in words.

    Parameters
    ----------
    spent, assumed : money of the budget that is used, known and held for what has no price.
    age : seconds since the cluster started.

    Raises
    ------
    InvalidSpec : nothing is to be changed, or both the whole and so much more.
    OutOfRange : there is no such limit to be raised, or the cluster is past the new one.
    """
    if not change.model_fields_set or all(value is None for _, value in change):
        raise InvalidSpec("No limit is named", "", "Name a budget or a lifetime, or how much more of them.")
    new, said = {}, []
    if (budget := _budget(limits, change, currency)) is not None:
        if budget <= spent + assumed:
            raise OutOfRange(
                f"The budget can't be {fine_money(budget, currency)}",
                f"{about_and_assumed(spent, assumed, currency)} of it is used already",
                "Name more than that, or stop the cluster.",
            )
        new["budget"] = budget
        said.append(f"its budget is {fine_money(budget, currency)}")
    if (lifetime := _lifetime(limits, change)) is not None:
        if lifetime <= age:
            raise OutOfRange(
                f"The cluster can't have {span(lifetime)} to live",
                f"it has lived for {span(age)}",
                "Name more than that, or stop the cluster.",
            )
        new["lifetime"] = lifetime
        said.append(f"it may live for {span(lifetime)}")
    return limits.model_copy(update=new), " and ".join(said)


def _budget(limits: Limits, change: LimitChange, currency: str) -> float | None:
    if change.more_money is None:
        return change.budget
    if change.budget is not None:
        raise InvalidSpec("The budget is named twice", "as a whole and as so much more", "Name one of both.")
    if limits.budget is None:
        more = fine_money(change.more_money, currency)
        raise OutOfRange(
            f"The budget can't be raised by {more}", "the cluster has none", "Nothing has to be raised; or set one."
        )
    return limits.budget + change.more_money


def _lifetime(limits: Limits, change: LimitChange) -> Seconds | None:
    if change.more_time is None:
        return change.lifetime
    if change.lifetime is not None:
        raise InvalidSpec("The lifetime is named twice", "as a whole and as so much more", "Name one of both.")
    if limits.lifetime is None:
        raise OutOfRange(
            f"The lifetime can't be raised by {span(change.more_time)}",
            "the cluster may live as long as it wants",
            "Nothing has to be raised; or set one.",
        )
    return limits.lifetime + change.more_time
