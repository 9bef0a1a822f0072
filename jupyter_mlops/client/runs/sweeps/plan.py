"""What a sweep is to do: how many trials, within which money and time, and what is known from an earlier run of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ....core.asha import Goal
from ....core.errors import Conflict
from ....core.sweep import Trial
from ...clusters.session import Session
from .samplers import Sampler


@dataclass(frozen=True)
class SweepPlan:
    """A sweep that is to be driven.

    Parameters
    ----------
    sampler : gives trials their settings.
    total : how many trials it has at most, those of an earlier run included.
    goal : which values are good ones.
    budget : money that it may cost, in the cluster's currency; None for any.
    seconds : how long it may take, from now on; None for ever.
    draws_ahead : whether the settings of a trial don't depend on how others ended.
    at_once : trials that are under way at the same time; None for as many as the cluster has threads.
    known : trials that an earlier run has finished, which are not tried again.
    continues : that run's id, where a trial of the same number has the same settings, and so may go on from the
        checkpoint that it had there.
    spent : what the earlier runs cost.
    options : what its record says of it.
    """

    sampler: Sampler
    total: int
    goal: Goal
    budget: float | None = None
    seconds: float | None = None
    draws_ahead: bool = True
    at_once: int | None = None
    known: list[Trial] = field(default_factory=list)
    continues: str | None = None
    spent: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def counts_each(self) -> bool:
        """Whether each trial that begins counts: for money, for what is drawn after it, or since so many were asked
        for at once. Otherwise the next ones may be sent before there is room for them, several together."""
        return self.budget is not None or self.at_once is not None or not self.draws_ahead

    async def check(self, session: Session) -> None:
        """See that the sweep can keep to its budget on this cluster.

        Raises
        ------
        Conflict : nobody knows what the cluster's workers cost.
        """
        if self.budget is None:
            return
        state = (await session.link.view(workers=False)).state
        if state.cost.per_hour is None or state.cost.unpriced:
            raise Conflict(
                f"The sweep can't stop at {self.budget:g}",
                f"nobody knows what the workers of {session.name!r} cost",
                "Give its profile a price, or stop the sweep at a time: time='2h'.",
            )

    def affords(self, cost: float, ended: int, flying: int) -> bool:
        """Whether another trial may begin: it, and the rest of those under way, are expected to fit the budget.

        Parameters
        ----------
        cost : of this run so far.
        ended, flying : its trials that are over, and that are under way. Of those under way about half is paid.
        """
        if self.budget is None:
            return True
        each = cost / (ended + flying / 2) if ended else 0.0
        return self.spent + cost + each * (flying / 2 + 1) <= self.budget and not self.is_spent(cost)

    def is_spent(self, cost: float) -> bool:
        """Whether the money is gone."""
        return self.budget is not None and self.spent + cost >= self.budget
