"""What the panel says of clusters and runs, beside the words that it shares with cells and the command line."""

from __future__ import annotations

from html import escape

from ...client.words import cost_so_far, known_cost, will_stop
from ...client.words import progress as far_of
from ...core import words
from ...core.base import Time
from ...core.cluster import ClusterState, Problem
from ...core.price import NO_PRICE, Cost, Reference
from ...core.run import RunState


def cost(value: Cost) -> str:
    """Money so far and per hour."""
    if value.amount is None:
        return f"unknown: {value.source or NO_PRICE}"
    return f"{cost_so_far(value)} so far, {words.per_hour(value.per_hour, value.currency, value.unpriced)}"


def round_sum(amount: float, currency: str) -> str:
    """A sum on a button: "$10"."""
    return words.fine_money(amount, currency).removesuffix(".00")


def reference(value: Reference) -> str:
    """About what it would cost in a cloud."""
    return f"({words.reference(value.per_hour, value.currency)})"


def source(cost: Cost) -> str:
    """What a sum rests on: whose rates, of when, and what was used."""
    used = f"{words.quantity(cost.usage.cpu_hours)} CPU-hours and {words.quantity(cost.usage.gb_hours)} GB-hours used"
    return f"{cost.source or NO_PRICE}{', ' + cost.date if cost.date else ''}; {used}"


def end(state: ClusterState, now: Time) -> str:
    """When a cluster stops by itself, also while nothing is on its way to stop it."""
    if state.stop is not None:
        return will_stop(state.stop, now)
    if not state.ours:
        return f"as {state.maker} has it"
    timeout = state.limits.idle_timeout
    return "when you stop it" if timeout is None else f"stops {words.span(timeout)} after its last work"


def progress(run: RunState, now: Time) -> str:
    """How far a run is, and what it costs: "120 of 400, 10 s left · $0.02"."""
    money = known_cost(run.cost)
    return f"{_far(run, now)} · {money}" if money else _far(run, now)


def _far(run: RunState, now: Time) -> str:
    if run.kind == "sweep":
        return _far_of_sweep(run, now)
    failed = f", {words.count(run.failed, 'item')} failed" if run.failed else ""
    if run.phase in ("starting", "running"):
        done = f"{run.done:,} of {run.total:,}" if run.total else f"{run.done:,} done" if run.done else run.phase
        return done + (f", {words.left(run.left)} left" if run.left is not None else "") + failed
    took = f" in {words.span((run.ended or now) - run.created)}" if run.phase == "done" else ""
    return f"{run.phase}{took}{failed}"


def _far_of_sweep(run: RunState, now: Time) -> str:
    tried = far_of(run)
    if run.phase in ("starting", "running"):
        return tried + (f", {words.left(run.left)} left" if run.left is not None else "")
    return f"{run.phase} in {words.span((run.ended or now) - run.created)}: {tried}"


def problem(value: Problem, name: str = "") -> str:
    """A problem as HTML: what happened stands out, then why and what to do."""
    what = f"{name}: {value.what}" if name else value.what
    rest = words.sentences(value.why, value.todo)
    return f"<b>{escape(what)}</b>" + (f"<br>{escape(rest)}" if rest else "")
