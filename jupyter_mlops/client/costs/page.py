"""A page about a month's costs: one file of HTML that needs nothing else, and runs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from ...core import words
from ...core.costline import CostLine
from ...core.followed import FollowedAdvice
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
td, th + th { text-align: right }
.bars td:last-child { text-align: left }
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
    title: str,
    sums: Sequence[MonthSum],
    lines: Mapping[str, Sequence[CostLine]],
    trends: Sequence[Trend],
    followed: Sequence[FollowedAdvice] = (),
) -> bytes:
    """The page of a month.

    Parameters
    ----------
    title : what the month is called.
    sums : what it cost, by currency.
    lines : by what they are lines (owner, cluster, run) → the lines.
    trends : what a million items cost.
    followed : what became of advice.
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
        *(_followed(followed) if followed else []),
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
    """The waterfall: a bar for the baseline, one for each step, which begins where the one above ends, and one for what
    was paid."""
    kept = saving.baseline - saving.stopped
    shaped = kept - saving.sized
    steps = [
        ("Baseline", 0.0, saving.baseline, "what is compared with"),
        ("Stopped when idle", saving.baseline, kept, "compared with not stopping"),
        ("Right size", kept, shaped, "measured by the workers that there were before"),
        ("Spot and discounts", shaped, saving.paid, "measured by their rates"),
        ("Paid", 0.0, saving.paid, "measured"),
    ]
    most = max(saving.baseline, kept, shaped, saving.paid) or 1.0
    yield f"<h2>Saved</h2><p>{escape(saving_sentence(saving))}.</p>"
    yield '<table class="bars"><tbody>'
    for name, start, end, basis in steps:
        change = end - start
        sign, kind = ("", "") if not start else ("− ", "saved") if change <= 0 else ("+ ", "lost")
        told = f"{sign if change else ''}{words.money(abs(change), saving.currency)}"
        style = f"margin-left:{100 * min(start, end) / most:.1f}%;width:{100 * abs(change) / most:.1f}%"
        yield f'<tr><th scope="row">{name}<br><span class="hint">{basis}</span></th>'
        yield f'<td>{escape(told)}</td><td><span class="bar {kind}" style="{style}"></span></td></tr>'
    yield f'</tbody></table><p class="hint">The baseline: {escape(CAREFUL)}.</p>'


def _lines(title: str, lines: Sequence[CostLine]) -> Iterable[str]:
    yield f"<h2>{title}</h2>"
    hours = any(line.usage.cpu_hours for line in lines)  # runs have none of their own
    yield from _table(
        ("Name", *(["CPU-hours"] if hours else []), "Cost"),
        [
            (line.name, *([words.quantity(line.usage.cpu_hours)] if hours else []), cost_so_far(line.cost))
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


def _followed(followed: Sequence[FollowedAdvice]) -> Iterable[str]:
    yield "<h2>Advice that was followed</h2>"
    yield from (f"<p>{escape(each.sentence)}.</p>" for each in followed)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    yield f"<table><thead><tr>{names}</tr></thead><tbody>"
    for first, *others in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in others)
        yield f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>'
    yield "</tbody></table>"
