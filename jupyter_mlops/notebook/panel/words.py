"""What the panel says: numbers, times and states as people read them; the sidebar's words, in Python."""

from __future__ import annotations

from html import escape

from ...client.words import duration
from ...core.base import Seconds, Time
from ...core.cluster import ClusterState, Counts, EndCause, Problem, Stop
from ...core.estimate import Estimate
from ...core.price import NO_PRICE, Cost
from ...core.run import RunPhase, RunState

MINUTE, HOUR, DAY = 60, 3600, 86400

_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}

_CAUSES: dict[EndCause, str] = {
    "user": "stopped by you",
    "idle": "stopped: nobody used it",
    "lifetime": "stopped: its longest lifetime was over",
    "budget": "stopped: its budget was used up",
    "failed": "failed",
    "killed": "its scheduler was killed",
    "machine restarted": "the machine restarted",
    "deleted": "deleted elsewhere",
    "other": "ended",
}


def money(amount: float | None, currency: str) -> str:
    """Money with two decimals; "unknown" when nobody said what it costs."""
    if amount is None:
        return "unknown"
    sign = _SIGNS.get(currency)
    return f"{sign}{amount:,.2f}" if sign else f"{amount:,.2f} {currency}"


def per_hour(amount: float | None, currency: str) -> str:
    """Money for an hour."""
    return "unknown" if amount is None else f"{money(amount, currency)}/h"


def cost(value: Cost) -> str:
    """Money so far and per hour."""
    if value.amount is None:
        return f"unknown: {value.source or NO_PRICE}"
    lacks = f" + {value.lacks}" if value.lacks else ""
    return f"{money(value.amount, value.currency)}{lacks} so far, {per_hour(value.per_hour, value.currency)}"


def source(cost: Cost) -> str:
    """What a sum rests on: whose rates, of when, and what was used."""
    usage = cost.usage
    used = f"{usage.cpu_hours:.2f} CPU-hours and {usage.gb_hours:.2f} GB-hours used"
    return f"{cost.source or NO_PRICE}{', ' + cost.date if cost.date else ''}; {used}"


def estimate(value: Estimate) -> str:
    """What a profile costs: an hour at the start, and at most where that is more."""
    if value.at_start is None or value.at_most is None:
        return "cost unknown"
    least, most = money(value.at_start, value.currency), money(value.at_most, value.currency)
    return f"{least}/h" if least == most else f"{least} to {most}/h"


def shape(value: Estimate) -> str:
    """What a profile starts with."""
    return f"{value.cpus:g} CPU{'' if value.cpus == 1 else 's'} and {value.memory_gb:.1f} GB"


def about(seconds: Seconds) -> str:
    """A length of time that is an expectation, in one unit, so that it doesn't tick."""
    if seconds < MINUTE:
        return "less than a minute"
    if seconds < 2 * HOUR:
        return f"{round(seconds / MINUTE)} min"
    return f"{round(seconds / HOUR)} h" if seconds < 2 * DAY else f"{round(seconds / DAY)} days"


def size(amount: float) -> str:
    """Memory in decimal units, as prices count it."""
    for unit in ("B", "kB", "MB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def workers(counts: Counts, wanted: int) -> str:
    """Workers in words: "6 of 8 workers, 4 busy"."""
    here = counts.idle + counts.busy + counts.retiring
    head = f"{here} worker{'' if here == 1 else 's'}" if here == wanted else f"{here} of {wanted} workers"
    parts = {
        "busy": counts.busy,
        "starting": counts.starting,
        "pending": counts.requested + counts.pending,
        "leaving": counts.retiring,
        "lost": counts.lost,
    }
    return ", ".join([head, *(f"{count} {word}" for word, count in parts.items() if count)])


def will_stop(stop: Stop, now: Time) -> str:
    """When and why a cluster stops by itself."""
    left = about(stop.at - now)
    if stop.cause == "idle":
        return f"in {left} unless used"
    if stop.cause == "budget":
        return f"in {left}, when its budget is spent at this rate"
    if stop.cause == "lifetime":
        return f"in {left}, its longest lifetime"
    return f"in {left}"


def stops(state: ClusterState, now: Time) -> str:
    """When a cluster stops by itself, also while nothing is on its way to stop it."""
    if state.stop is not None:
        return will_stop(state.stop, now)
    if not state.ours:
        return f"as {state.maker} has it"
    timeout = state.limits.idle_timeout
    return "when you stop it" if timeout is None else f"{duration(timeout)} after its last work"


def phase(state: ClusterState) -> str:
    """A cluster's phase in words, with the cause of its end."""
    if state.phase == "ended":
        return _CAUSES[state.cause] if state.cause else "ended"
    return "doesn’t answer" if state.phase == "unreachable" else state.phase


def progress(run: RunState, now: Time) -> str:
    """How far a run is, in words: "120 of 400, 12 s left"."""
    if run.phase in ("starting", "running"):
        done = f"{run.done:,} of {run.total:,}" if run.total else f"{run.done:,} done" if run.done else run.phase
        left = f", {about(run.left) if run.left >= MINUTE else duration(run.left)} left" if run.left is not None else ""
        return done + left + (f", {run.failed:,} failed" if run.failed else "")
    took = duration((run.ended or now) - run.created)
    words: dict[RunPhase, str] = {"done": f"done in {took}", "failed": "failed", "cancelled": "cancelled"}
    return words.get(run.phase, "lost") + (f", {run.failed:,} items failed" if run.failed else "")


def problem(value: Problem, name: str = "") -> str:
    """A problem as HTML: what happened stands out, then why and what to do."""
    what = f"{name}: {value.what}" if name else value.what
    rest = " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in (value.why, value.todo) if part)
    return f"<b>{escape(what)}</b>" + (f"<br>{escape(rest)}" if rest else "")
