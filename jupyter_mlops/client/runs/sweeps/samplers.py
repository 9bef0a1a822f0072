"""Where the settings of a sweep's trials come from, and which trials end early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ....core.asha import Asha, Goal
from ....core.space import Space
from ....core.sweep import Trial, TrialReport


class Sampler(Protocol):
    """Gives trials their settings."""

    async def ask(self, number: int) -> dict[str, Any]:
        """The arguments of the trial of that number. Numbers come in their order, some are left out."""

    async def tell(self, trial: Trial) -> None:
        """What became of a trial that was asked for."""

    async def prunes(self, report: TrialReport) -> bool:
        """Whether a trial that reported this ends here."""


class SpaceSampler:
    """Settings that a trial's number decides.

    Parameters
    ----------
    draw : number → arguments.
    asha : which trials end early; None for none.
    """

    def __init__(self, draw: Callable[[int], dict[str, Any]], asha: Asha | None) -> None:
        self._draw, self._asha = draw, asha

    async def ask(self, number: int) -> dict[str, Any]:
        """As `Sampler.ask`."""
        return self._draw(number)

    async def tell(self, trial: Trial) -> None:
        """As `Sampler.tell`."""

    async def prunes(self, report: TrialReport) -> bool:
        """As `Sampler.prunes`."""
        return self._asha is not None and self._asha.prunes(report.trial, report.count, report.value)


def sampler_of(space: Space, how: str, seed: int, prune: str | None, goal: Goal) -> Sampler:
    """The sampler of a space: `how` is random or grid."""
    asha = Asha(goal) if prune == "asha" else None
    return SpaceSampler(space.grid if how == "grid" else lambda number: space.random(seed, number), asha)
