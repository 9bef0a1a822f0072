"""What a replay found, in figures, words and a table."""

from __future__ import annotations

import html
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from ...core.price import Cost
from ...core.words import count, fine_money, percent, span
from .compare import Compared, Measures

#: Kinds of errors, of rows that are left out, and changes between classes that are told.
_TOLD = 5


@dataclass(frozen=True)
class ReplayResult:
    """What a version answers to what a service was asked, beside what was answered then. It shows itself.

    Attributes
    ----------
    version, service : what was replayed, and whose requests.
    rows : that were asked again; `versions` has by which versions they were answered: name → rows.
    compared : how the answers differ: `same`, `mean`, `largest`, `correlation`, `changes`.
    metric : the metric of both, where labels are there; None otherwise.
    errors : why rows couldn't be answered → how many.
    left_out : why rows weren't asked again → how many.
    examples : where answers differ most, as a table of pandas': when that was asked, its features, `answer` before and
        `now`.
    seconds : that it took; `cost` of the run.
    """

    version: str
    service: str
    rows: int
    versions: dict[str, int]
    compared: Compared
    metric: Measures | None
    errors: dict[str, int]
    left_out: dict[str, int]
    examples: Any = None
    seconds: float = 0.0
    cost: Cost = field(default_factory=Cost)

    @property
    def rate(self) -> float:
        """Rows in a second."""
        return self.rows / self.seconds if self.seconds else 0.0

    @property
    def per_thousand(self) -> float | None:
        """Money for a thousand rows; None where that, or a part of it, is unknown."""
        unknown = not self.rows or self.cost.amount is None or self.cost.lacks
        return None if unknown else (self.cost.amount or 0.0) / self.rows * 1000

    def told(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        found = asdict(self)
        found["examples"] = (
            [] if self.examples is None else json.loads(self.examples.to_json(orient="records", date_format="iso"))
        )
        found["metric"] = None if self.metric is None else {**asdict(self.metric), "verdict": self.metric.verdict}
        return {**found, "cost": self.cost, "rate": self.rate, "per_thousand": self.per_thousand}

    @property
    def lines(self) -> list[str]:
        """All of it in words, but for the examples."""
        by = ", ".join(f"{name} ({number:,})" for name, number in self.versions.items())
        head = f"{self.version} on {count(self.rows, 'logged row')} of {self.service}, answered by {by}"
        found = [head, self._differs()]
        if self.metric is not None:
            found.append(self._measured(self.metric))
        else:
            found.append("no labels: nobody knows which of them is right")
        failed = sum(self.errors.values())
        found += [f"can't answer {count(failed, 'row')}"] if failed else []
        found += _counted(self.errors)
        found += ["left out:", *_counted(self.left_out)] if self.left_out else []
        cost = fine_money(self.per_thousand, self.cost.currency)
        money = "" if self.per_thousand is None else f", {cost} per 1,000 rows"
        return [*found, f"{span(self.seconds)}, {self.rate:,.0f} rows a second{money}"]

    def _differs(self) -> str:
        found = self.compared
        if found.same is None:
            return "nothing to compare: no row has both answers"
        told = f"{_share(found.same)} of {count(found.rows, 'answer')} {'is' if found.rows == 1 else 'are'} the same"
        if found.mean is not None:
            alike = "" if found.correlation is None else f", correlation {found.correlation:.4f}"
            return f"{told}; distance {found.mean:.4g} on average, {found.largest:.4g} at most{alike}"
        moved = [f"{before} → {now} {number:,}" for before, now, number in found.changes[:_TOLD]]
        more = len(found.changes) - _TOLD
        return f"{told}" + (f"; {', '.join(moved)}" if moved else "") + (f", and {more} more kinds" if more > 0 else "")

    def _measured(self, metric: Measures) -> str:
        some = "" if metric.drawn == metric.rows else f", from {metric.drawn:,} of them"
        both = f"{metric.name} {metric.now:.4g}, and {metric.before:.4g} before"
        by = f"{metric.low:+.3g} to {metric.high:+.3g}{some}"
        return f"{both}, on {count(metric.rows, 'labelled row')}: {metric.verdict} ({by})"

    def __str__(self) -> str:
        text = "\n".join(self.lines)
        if self.examples is not None and len(self.examples):
            text += f"\nwhere they differ most:\n{self.examples.to_string(index=False)}"
        return text

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head, *rest = map(html.escape, self.lines)
        told = f"<div><b>{head}</b>" + "".join(f"<div>{line}</div>" for line in rest)
        if self.examples is not None and len(self.examples):
            told += f"<div>where they differ most:</div>{self.examples.to_html(index=False)}"
        return f"{told}</div>"


def _share(part: float) -> str:
    """A part in percent that is all or none only where it is."""
    return percent(part) if part in (0.0, 1.0) or 0.01 < part < 0.99 else f"{min(max(100 * part, 0.01), 99.99):.2f} %"


def _counted(reasons: dict[str, int]) -> list[str]:
    most = sorted(reasons.items(), key=lambda each: -each[1])
    told = [f"  {number:,}: {why}" for why, number in most[:_TOLD]]
    return told + ([f"  and {len(most) - _TOLD} more reasons"] if len(most) > _TOLD else [])
