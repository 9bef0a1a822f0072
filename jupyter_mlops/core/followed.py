"""Profiles that follow advice: what was promised, and what is measured since."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from pydantic import computed_field

from . import words
from .base import Label, Record
from .bill import Bill, BilledRun, run_spends
from .profile import Profile, Promised
from .unitcost import MILLION

#: Runs on either side before a saving is claimed: fewer may be chance.
NEEDED = 3


class RunsCost(Record):
    """So many runs, their items, and what they cost in all, with their share of booting, waiting and leaving."""

    runs: int = 0
    items: int = 0
    amount: float = 0


class FollowedAdvice(Record):
    """A profile that follows the advice of a run, what was promised of it, and what runs cost before and since.

    `promised` and `measured` are the part of the money that is saved (0.62); None where nobody can tell. Compared is
    what an item costs where all runs have items, else what a run does.
    """

    profile: Label
    run: Label = ""
    promised: float | None = None
    currency: str = "USD"
    before: RunsCost = RunsCost()
    since: RunsCost = RunsCost()

    @property
    def by_items(self) -> bool:
        """Whether the cost of an item is compared."""
        return self.before.items > 0 and self.since.items > 0

    @computed_field  # type: ignore[prop-decorator]  # mypy doesn't know properties below decorators
    @property
    def measured(self) -> float | None:
        """The part of the money that is saved; one that is negative was a loss. None while there are too few runs."""
        if min(self.before.runs, self.since.runs) < NEEDED:
            return None
        before, since = self._each(self.before), self._each(self.since)
        return 1 - since / before if before > 0 else None

    @computed_field  # type: ignore[prop-decorator]  # as above
    @property
    def sentence(self) -> str:
        """Both, and what they rest on: "flights-sized (advice of resize): −62 % promised, −55 % measured: a million
        items $4.10 → $1.85, 5 runs before and 3 since"."""
        of = f" (advice of {self.run})" if self.run else ""
        promised = "no saving" if self.promised is None else _change(self.promised)
        return f"{self.profile}{of}: {promised} promised, {self._measured}"

    @property
    def _measured(self) -> str:
        runs = f"{words.count(self.before.runs, 'run')} before and {self.since.runs:,} since"
        if self.measured is None:
            if min(self.before.runs, self.since.runs) >= NEEDED:
                return f"nothing measured: what they cost before is nothing, {runs}"
            return f"measured once there are {NEEDED} runs with a price on either side: {runs}"
        what, times = ("a million items", MILLION) if self.by_items else ("a run", 1)
        before, since = (
            words.fine_money(self._each(each) * times, self.currency) for each in (self.before, self.since)
        )
        return f"{_change(self.measured)} measured: {what} {before} → {since}, {runs}"

    def _each(self, cost: RunsCost) -> float:
        return cost.amount / (cost.items if self.by_items else cost.runs)


def followed(bills: Sequence[Bill], profiles: Iterable[Profile]) -> list[FollowedAdvice]:
    """What became of the advice that these profiles follow, in their order; one for each currency that runs cost.

    Parameters
    ----------
    bills : all there are. Only runs that came to their end, and of which all costs are known, count.
    """
    return [
        each
        for profile in profiles
        if profile.promise is not None
        for each in _of_promise(profile.name, profile.promise, bills)
    ]


def _of_promise(profile: str, promise: Promised, bills: Sequence[Bill]) -> list[FollowedAdvice]:
    before = _costs([bill for bill in bills if bill.profile == promise.profile], promise, since=0)
    since = _costs([bill for bill in bills if bill.profile == profile], promise, since=promise.since)
    return [
        FollowedAdvice(
            profile=profile,
            run=promise.run,
            promised=promise.saving,
            currency=currency,
            before=before.get(currency, RunsCost()),
            since=since.get(currency, RunsCost()),
        )
        for currency in sorted({**before, **since}) or ["USD"]
    ]


def _costs(bills: Iterable[Bill], promise: Promised, since: float) -> Mapping[str, RunsCost]:
    """What the runs that a promise is about cost, by currency."""
    found: dict[str, list[tuple[BilledRun, float]]] = {}
    for bill in bills:
        totals = {spend.id: spend.total for spend in run_spends(bill)}
        found.setdefault(bill.cost.currency, []).extend(
            (run, totals[run.id]) for run in bill.runs if run.id in totals and _is_about(run, promise, since)
        )
    return {currency: _sum(runs) for currency, runs in found.items() if runs}


def _is_about(run: BilledRun, promise: Promised, since: float) -> bool:
    who = not promise.owner or run.owner == promise.owner
    named = not promise.run or run.name == promise.run
    return who and named and run.phase == "done" and not run.lacks and run.created >= since


def _sum(runs: Sequence[tuple[BilledRun, float]]) -> RunsCost:
    """Their cost; their items, if all of them have some."""
    items = [run.items for run, _ in runs]
    amount = math.fsum(amount for _, amount in runs)
    return RunsCost(runs=len(runs), items=sum(items) if all(items) else 0, amount=amount)


def _change(saving: float) -> str:
    """ "−62 %", or "+12 %" for a loss."""
    return f"{'−' if saving >= 0 else '+'}{words.percent(abs(saving))}"
