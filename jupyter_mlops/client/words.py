"""A run in words: what a person wants to know of it in one line."""

from __future__ import annotations

import time

from ..core.price import Cost
from ..core.run import FINAL, RunState, per_thousand

#: A smaller amount isn't written out.
LEAST = 0.0001


def sentence(state: RunState, now: float | None = None) -> str:
    """The run's state, progress, time and cost in one line."""
    parts = [_phase(state)]
    items = progress(state)
    if items:
        parts.append(items)
    seconds = (state.ended or now or time.time()) - state.created
    parts.append(duration(seconds))
    if state.left is not None and state.phase not in FINAL:
        parts.append(f"{duration(state.left)} left")
    parts += [text for text in (money(state.cost), unit_price(state), f"on {state.cluster}") if text]
    return " · ".join(parts)


def _phase(state: RunState) -> str:
    if state.phase in ("failed", "cancelled", "lost") and state.error:
        return f"{state.phase}: {state.error.splitlines()[0][:200]}"
    return state.phase


def progress(state: RunState) -> str:
    """How many items are done, of how many, and how many failed."""
    if state.kind != "map":
        return ""
    total = f" of {state.total:,}" if state.total is not None and state.phase not in FINAL else ""
    failed = f", {state.failed:,} failed" if state.failed else ""
    return f"{state.done + state.failed:,}{total} items{failed}"


def rate(state: RunState, now: float | None = None) -> str:
    """Items a second so far."""
    seconds = (state.ended or now or time.time()) - state.created
    done = state.done + state.failed
    if state.kind != "map" or not done or seconds <= 0:
        return ""
    speed = done / seconds
    return f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s" if speed >= 0.1 else f"{speed * 60:.1f}/min"


def duration(seconds: float) -> str:
    """A length of time for people."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"


def money(cost: Cost) -> str:
    """The cost, with its currency; empty when no price is set."""
    if cost.amount is None:
        return ""
    known = _amount(cost.amount, cost.currency)
    return f"{known} + {cost.lacks}" if cost.lacks else known


def unit_price(state: RunState) -> str:
    """What a thousand items of a map cost; empty when that is unknown, or no map."""
    amount = per_thousand(state)
    if amount is None:
        return ""
    under = "under " if 0 < amount < LEAST else ""
    return f"{under}{_amount(max(amount, LEAST) if amount else 0, state.cost.currency)} per 1,000 items"


def _amount(amount: float, currency: str) -> str:
    sign = "$" if currency == "USD" else f"{currency} "
    digits = 2 if amount >= 0.01 or amount < LEAST else 4
    return f"{sign}{amount:.{digits}f}"
