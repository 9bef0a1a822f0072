"""Clusters and runs in words, as cells, the panel and the command line tell of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TextIO

from ..core import words
from ..core.base import Time
from ..core.cluster import ClusterState, Counts, Stop
from ..core.idle import NAMED
from ..core.month import Month, MonthSum
from ..core.price import ROUNDING, Cost
from ..core.run import FINAL, RunState, per_thousand
from ..core.saving import Saving
from ..core.spot import SpotBreak
from ..core.unitcost import Trend

#: Classes of an element in which two sums of money are no formula: JupyterLab sets what stands between two "$" as one.
PLAIN = "mathjax_ignore tex2jax_ignore"


def sentence(state: RunState, now: Time | None = None) -> str:
    """The run's state, progress, time and cost in one line."""
    parts = [_run_phase(state)]
    items = progress(state)
    if items:
        parts.append(items)
    parts.append(words.span((state.ended or now or time.time()) - state.created))
    if state.left is not None and state.phase not in FINAL:
        cost = state.to_finish
        more = "" if cost is None else f" for {words.money(cost, state.cost.currency)}"
        parts.append(f"{words.left(state.left)} left{more}")
    parts += [text for text in (known_cost(state.cost), unit_price(state), f"on {state.cluster}") if text]
    if state.phase not in FINAL:
        stops = state.projection is not None and state.projection.stops_at is not None
        parts += [text for text in (projection(state) if stops else "", state.budget) if text]
    return " · ".join(parts)


def projection(state: RunState) -> str:
    """What all of a map, sweep or gang will cost, and where a budget would end it: "this map will cost about $31.00
    ($28.00–$35.00); the budget is $20.00: it would stop at 64 %"; empty while that can't be told."""
    known = state.projection
    if known is None:
        return ""
    about, low, high = (words.fine_money(each, known.currency) for each in (known.amount, known.low, known.high))
    text = "" if known.amount is None else f"this {state.kind} will cost about {about} ({low}–{high})"
    if known.stops_at is None or known.budget is None:
        return text
    budget, part = words.fine_money(known.budget, known.currency), f"{known.stops_at:.0%}"
    whose = "its own budget" if known.own else "the budget"
    if not text:
        return f"{whose} is {budget}: this {state.kind} would stop at {part}"
    return f"{text}; {whose} is {budget}: it would stop at {part}"


def _run_phase(state: RunState) -> str:
    if state.phase in ("failed", "cancelled", "lost") and state.error:
        return f"{state.phase}: {state.error.splitlines()[0][:200]}"
    if state.kind == "sweep" and state.error:  # done early
        return f"{state.phase}, {state.error}"
    return state.phase


def progress(state: RunState) -> str:
    """How many items are done, of how many, and how many failed; the ranks of a gang, and what it has saved; the best
    value of a sweep."""
    if state.kind == "gang":
        saved = f", step {state.checkpoint.step:,} saved" if state.checkpoint is not None else ""
        return words.count(state.total or 0, "rank") + saved
    if state.kind not in ("map", "sweep"):
        return ""
    unit = "trial" if state.kind == "sweep" else "item"
    failed = f", {state.failed:,} failed" if state.failed else ""
    best = f" · best {state.best:.4g}" if state.best is not None else ""
    if state.total is None or state.phase in FINAL:
        return words.count(state.tried, unit) + failed + best
    return f"{state.tried:,} of {words.count(state.total, unit)}{failed}{best}"


def speed(state: RunState, now: Time | None = None) -> str:
    """Items a second so far; a minute, where they are few."""
    seconds = (state.ended or now or time.time()) - state.created
    done = state.done + state.failed
    if state.kind not in ("map", "sweep") or not done or seconds <= 0:
        return ""
    rate = done / seconds
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s" if rate >= 0.1 else f"{rate * 60:.1f}/min"


def cost_so_far(cost: Cost) -> str:
    """What is known of a cost, and how much isn't: "$3.10 + 12.0 CPU-hours unknown"; "unknown" without a price."""
    return words.known_and_missing(cost.amount, cost.currency, cost.lacks)


def known_cost(cost: Cost) -> str:
    """The same for a line that has other things to say: empty without a price."""
    return "" if cost.amount is None else cost_so_far(cost)


def unit_price(state: RunState) -> str:
    """What a thousand items of a map cost, or rows that it scored; empty when that is unknown, or the run is no map."""
    amount = per_thousand(state)
    noun = "rows" if state.rows else "items"
    return "" if amount is None else f"{words.fine_money(amount, state.cost.currency)} per 1,000 {noun}"


def workers(counts: Counts, wanted: int) -> str:
    """Workers in words: "6 of 8 workers, 4 busy"."""
    here = counts.idle + counts.busy + counts.retiring
    head = words.count(wanted, "worker")
    parts = {
        "busy": counts.busy,
        "starting": counts.starting,
        "pending": counts.requested + counts.pending,
        "leaving": counts.retiring,
        "lost": counts.lost,
    }
    head = head if here == wanted else f"{here:,} of {head}"
    return ", ".join([head, *(f"{count:,} {word}" for word, count in parts.items() if count)])


def waits_for(state: ClusterState) -> str:
    """What a cluster that isn't whole yet waits for: "its scheduler starts", "0 of 2 workers, 2 pending"."""
    if state.phase == "starting":
        return "its scheduler starts"
    return workers(state.counts, sum(group.wanted for group in state.groups))


def phase(state: ClusterState) -> str:
    """A cluster's phase in words, with the cause of its end."""
    if state.phase == "ended":
        return words.ending(state.cause)
    return "doesn’t answer" if state.phase == "unreachable" else state.phase


def will_stop(stop: Stop, now: Time) -> str:
    """When and why a cluster stops by itself."""
    left = words.about(stop.at - now)
    if stop.cause == "idle":
        return f"stops in {left} unless used"
    if stop.cause == "budget":
        return f"budget lasts {left} at this rate"
    return f"stops in {left} at the latest" if stop.cause == "lifetime" else f"stops in {left}"


def limits_sentence(state: ClusterState) -> str:
    """Which money and time a cluster may use: "has a budget of $30.00, of which $4.10 is used and 1 d 1 h to live"."""
    parts = []
    if state.budget is not None:
        used = words.about_and_assumed(state.budget.spent, state.budget.assumed, state.budget.currency)
        limit = words.fine_money(state.budget.limit, state.budget.currency)
        parts.append(f"a budget of {limit}, of which {used} is used")
    if state.limits.lifetime is not None:
        parts.append(f"{words.span(state.limits.lifetime)} to live")
    return f"has {words.listed(parts)}" if parts else "has no limit of money or time"


def waste_sentences(state: ClusterState) -> list[str]:
    """Which of its workers cost money and do nothing, a sentence for each kind: "7 of 40 workers idle for 12 min: $0.84
    so far, $4.20/h"."""
    if state.phase != "running":
        return []
    return [waste.sentence(named=len(state.groups) > 1) for waste in state.waste]


def spot_sentences(state: ClusterState, now: Time | None = None) -> list[str]:
    """Why workers of its spot groups are on demand, a sentence each: "No spot machine since 14:05; on demand until
    14:35"; with the day where that isn't today's."""
    named, now = len(state.groups) > 1, time.time() if now is None else now
    found = [(group.name, group.spot_break) for group in state.groups if group.spot_break is not None]
    return [f"{name}: {_spot(known, now)}" if named else _spot(known, now) for name, known in found]


def _spot(known: SpotBreak, now: Time) -> str:
    since = moment(known.since, now)
    until = "" if known.until is None else f" until {moment(known.until, now)}"
    if known.why == "due":
        return f"On demand since {since}{until}, so that a map isn’t late"
    return f"No spot machine since {since}; on demand{until}"


def moment(at: Time, now: Time) -> str:
    """A moment that is past or to come, by the clock here: "14:05"; of another day than `now`: "27 Nov 14:05"."""
    then, today = time.localtime(at), time.localtime(now)
    clock = time.strftime("%H:%M", then)
    return clock if then[:3] == today[:3] else f"{then.tm_mday} {time.strftime('%b', then)} {clock}"


def month_sentences(month: MonthSum, of: Month, now: Time) -> list[str]:
    """What a month cost, what it will, and what was saved, a sentence each: "November 2026 so far: $41.20, 7 clusters;
    about $55.00 at this pace"."""
    currency = month.currency
    unknown = f"{words.quantity(month.unknown.cpu_hours)} CPU-hours unknown" if month.unknown.cpu_hours else ""
    cost = words.known_and_missing(month.amount, currency, unknown)
    so_far = " so far" if of.start <= now < of.end else ""
    parts = [f"{of.title}{so_far}: {cost}, {words.count(month.clusters, 'cluster')}"]
    if month.live and month.per_hour is not None:
        parts.append(f"now {words.per_hour(month.per_hour, currency)}")
    if month.forecast is not None:
        parts.append(f"about {words.money(month.forecast, currency)} at this pace")
    return ["; ".join(parts), *([saving_sentence(month.saving)] if month.saving is not None else [])]


def saving_sentence(saving: Saving) -> str:
    """From the baseline to what was paid: "Ended clusters: $60.00 by the careful baseline − $15.00 stopped when idle −
    $4.00 spot and discounts = $41.00 paid"."""
    steps = [
        (saving.stopped, "stopped when idle"),
        (saving.sized, "right size"),
        (saving.cheaper, "spot and discounts"),
    ]
    told = [
        f"{'−' if amount > 0 else '+'} {words.money(abs(amount), saving.currency)} {word}"
        for amount, word in steps
        if abs(amount) > ROUNDING
    ]
    baseline, paid = words.money(saving.baseline, saving.currency), words.money(saving.paid, saving.currency)
    if not told:
        return f"Nothing was saved: the careful baseline costs the same, {baseline}"
    return " ".join(["Ended clusters:", baseline, "by the careful baseline", *told, "=", paid, "paid"])


def trend_sentence(trend: Trend) -> str:
    """How the cost of a million items moved: "resize since 2026-03: items × 20, cost × 1.7, a million items $4.10 →
    $0.35"."""
    first, last = trend.months[0], trend.months[-1]
    before, after = (words.fine_money(each.per_million, trend.currency) for each in (first, last))
    times = "" if trend.cost_times is None else f", cost × {trend.cost_times:.3g}"
    items = f"items × {trend.items_times:.3g}"
    return f"{trend.name} since {first.month}: {items}{times}, a million items {before} → {after}"


def let_go_sentence(names: Sequence[str]) -> str:
    """Which workers go: "2 idle workers go: small-3 and small-9"."""
    verb = "goes" if len(names) == 1 else "go"
    return f"{words.count(len(names), 'idle worker')} {verb}: {words.first_of(names, NAMED)}"


def tell(sentence: str) -> None:
    """Print a sentence."""
    put(f"{sentence}\n", sys.stdout)


def put(text: str, stream: TextIO) -> None:
    """Write a text; what the terminal has no characters for is replaced, as in the locale C."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        stream.write(text.encode(stream.encoding, "replace").decode(stream.encoding))
    stream.flush()
