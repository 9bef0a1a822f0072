"""A sweep, as its user holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....core.asha import Goal
from ....core.errors import NotFound
from ....core.sweep import Trial, best_of, in_order
from ....home.runs import run_folder
from ...words import PLAIN
from ..run import Run
from ..view import View
from .view import SweepView, table_html

if TYPE_CHECKING:
    import pandas


class Sweep(Run):
    """A sweep under way, or one that was: made by `mlops.sweep`, and by `mlops.get_run`.

    `result()` waits for it, shows its best trials meanwhile, and gives the best one.
    """

    @property
    def goal(self) -> Goal:
        """Which values are good ones."""
        return "min" if self.record.options.get("goal") == "min" else "max"

    @property
    def trials(self) -> list[Trial]:
        """All trials until now, by number, those included that an earlier run of the sweep finished."""
        known: dict[int, Trial] | None = getattr(self._execution, "trials", None)
        if known is not None:
            return [known[number] for number in sorted(known)]
        return run_folder(self.id).trials()

    @property
    def best(self) -> Trial | None:
        """The best trial until now; None while none is done. It has `params` and `value`."""
        return best_of(self.trials, self.goal)

    def table(self) -> pandas.DataFrame:
        """The trials as a table, the best ones first: arguments, value, other metrics, seconds, phase."""
        import pandas

        rows = [
            {
                "trial": each.number,
                **each.params,
                "value": each.value,
                **each.metrics,
                "phase": each.phase,
                "seconds": None if each.ended is None else each.ended - each.began,
                "error": each.error,
            }
            for each in in_order(self.trials, self.goal)
        ]
        return pandas.DataFrame(rows).set_index("trial") if rows else pandas.DataFrame()

    def _value(self) -> Trial:
        best = self.best
        if best is None:
            raise NotFound(
                f"The sweep {self.name!r} has no best trial", "none came to its end", "Give it more time or money."
            )
        return best

    def _view(self) -> View:
        return super()._view() if self._quiet else SweepView(lambda: self.trials, self.goal)

    def __repr__(self) -> str:
        best = self.best
        found = "" if best is None else f", best {best.value:.6g} with {_given(best.params)}"
        return f"<Sweep {self.id} {self.name!r}: {self.state}, {len(self.trials)} trials{found}>"

    def _repr_html_(self) -> str:
        return f"<div class='{PLAIN}'>{super()._repr_html_()}{table_html(self.trials, self.goal)}</div>"


def _given(params: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in params.items())
