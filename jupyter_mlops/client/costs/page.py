"""A page about a month's costs: one file of HTML that needs nothing else, and runs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from ...core import words
from ...core.costline import CostLine
from ...core.month import MonthSum
from ...core.saving import CAREFUL, Saving
from ...core.unitcost import Trend
from ..words import cost_so_far, saving_sentence, trend_sentence

#: Lines of a table at most: a page is for people, and all are in the other exports.
_MOST = 200

_TITLES = {"owner": "By owner", "cluster": "By cluster", "run": "By run"}

_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 50rem; padding: 0 1rem }
table { border-collapse: collapse; margin: 0 0 2rem; width: 100% }
th, td { border-bottom: 1px solid #8884; padding: .25rem .5rem; text-align: left; vertical-align: top }
td + td, th + th { text-align: right }
thead th { font-weight: 600 }
tbody th { font-weight: 400 }
.sum { font-size: 1.6rem; margin: .5rem 0 }
.hint { opacity: .75 }
.bars td:last-child { width: 40% }
.bar { background: #1976d2; display: block; height: .8rem; margin-top: .3rem; min-width: 1px }
.bar.saved { background: #2e7d32 }
.bar.lost { background: #c62828 }
"""


def page_of(
    title: str, sums: Sequence[MonthSum], lines: Mapping[str, Sequence[CostLine]], trends: Sequence[Trend]
) -> bytes:
    """The page of a month.

    Parameters
    ----------
    title : what the month is called.
    sums : what it cost, by currency.
    lines : by what they are lines (owner, cluster, run) → the lines.
    trends : what a million items cost.
    """
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>Costs of {escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Costs of {escape(title)}</h1>",
        *(part for each in sums for part in _sum(each)),
        *(part for by, found in lines.items() if found for part in _lines(_TITLES[by], found)),
        *(_trends(trends) if trends else []),
        "</body></html>",
    ]
    return "\n".join(parts).encode()


def _sum(month: MonthSum) -> Iterable[str]:
    unknown = f"{words.quantity(month.unknown.cpu_hours)} CPU-hours unknown" if month.unknown.cpu_hours else ""
    yield f'<p class="sum">{escape(words.known_and_missing(month.amount, month.currency, unknown))}</p>'
    told = [words.count(month.clusters, "cluster")]
    if month.live:
        told.append(f"{month.live:,} of them live")
    if month.unpriced:
        told.append(f"{month.unpriced:,} without a price, which are in no sum")
    if month.forecast is not None:
        told.append(f"the whole month about {words.money(month.forecast, month.currency)} at this pace")
    yield f"<p>{escape('; '.join(told))}.</p>"
    if month.saving is not None:
        yield from _saving(month.saving)


def _saving(saving: Saving) -> Iterable[str]:
    """The waterfall: a bar for the baseline, one for each step, and one for what was paid."""
    steps = [
        ("Baseline", saving.baseline, "", "compared with"),
        ("Stopped when idle", -saving.stopped, _way(saving.stopped), "compared with not stopping"),
        ("Right size", -saving.sized, _way(saving.sized), "measured: shapes"),
        ("Spot and discounts", -saving.cheaper, _way(saving.cheaper), "measured: rates"),
        ("Paid", saving.paid, "", "measured"),
    ]
    most = max(abs(amount) for _, amount, _, _ in steps) or 1.0
    yield f"<h2>Saved</h2><p>{escape(saving_sentence(saving))}.</p>"
    yield '<table class="bars"><tbody>'
    for name, amount, way, basis in steps:
        sign = "−" if amount < 0 else ""
        amount_words = f"{sign}{words.money(abs(amount), saving.currency)}"
        bar = f'<span class="bar {way}" style="width:{100 * abs(amount) / most:.1f}%"></span>'
        yield f'<tr><th scope="row">{name}<br><span class="hint">{basis}</span></th>'
        yield f"<td>{escape(amount_words)}</td><td>{bar}</td></tr>"
    yield f'</tbody></table><p class="hint">The baseline: {escape(CAREFUL)}.</p>'


def _way(saved: float) -> str:
    return "saved" if saved >= 0 else "lost"


def _lines(title: str, lines: Sequence[CostLine]) -> Iterable[str]:
    yield f"<h2>{title}</h2>"
    yield from _table(
        ("Name", "CPU-hours", "Cost"),
        [
            (line.name, words.quantity(line.usage.cpu_hours) if line.usage.cpu_hours else "", cost_so_far(line.cost))
            for line in lines[:_MOST]
        ],
    )
    if len(lines) > _MOST:
        yield f'<p class="hint">And {len(lines) - _MOST:,} more, which the table (CSV) has.</p>'


def _trends(trends: Sequence[Trend]) -> Iterable[str]:
    yield "<h2>What a million items cost</h2>"
    yield '<p class="hint">With the runs’ shares of booting, waiting for work and leaving.</p>'
    for trend in trends[:_MOST]:
        title = trend_sentence(trend) if len(trend.months) > 1 else trend.name
        yield f"<h3>{escape(title)}</h3>"
        yield from _table(
            ("Month", "Runs", "Items", "Cost", "A million items"),
            [
                (
                    month.month,
                    f"{month.runs:,}",
                    f"{month.items:,}",
                    words.money(month.amount, trend.currency),
                    words.fine_money(month.per_million, trend.currency),
                )
                for month in trend.months
            ],
        )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    yield f"<table><thead><tr>{names}</tr></thead><tbody>"
    for first, *others in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in others)
        yield f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>'
    yield "</tbody></table>"
