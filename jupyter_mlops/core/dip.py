"""Why more workers do less each: the cause of a dip in a ladder, from what was measured on its rungs. Pure."""

from __future__ import annotations

from .cluster import Problem
from .ladder import DipCause, Rung
from .words import count, percent, span

#: The part by which each worker has to do less than on the rung before. Less than that is in every law.
DIP = 0.15

#: Parts of the items that failed; of the time without an item to send; of the threads' time without a task.
_FAILED, _STARVED, _UNUSED = 0.05, 0.15, 0.15

#: How many times as long as others an item takes that is slow; and by what part an item takes longer than before where
#: workers share something.
_SLOW, _LONGER = 4.0, 0.1


def with_dip(rung: Rung, before: Rung | None) -> Rung:
    """`rung`, with its dip and what causes it, where each worker did much less than on the rung `before`."""
    if before is None or not before.each:
        return rung
    dip = 1 - rung.each / before.each
    if dip <= DIP:
        return rung
    cause = cause_of(rung, before)
    what = f"Each of {count(rung.workers, 'worker')} does {percent(dip)} less than each of {before.workers:,}"
    why, todo = _told(cause, rung, before)
    return rung.model_copy(update={"dip": dip, "cause": cause, "problem": Problem(what=what, why=why, todo=todo)})


def cause_of(rung: Rung, before: Rung) -> DipCause:
    """What grew most plainly from one rung to the next: what is simple to see, and to mend, first."""
    if rung.present < rung.workers:
        return "booting"
    if rung.failed > _FAILED * rung.items and rung.failed / rung.items > 2 * before.failed / max(1, before.items):
        return "failures"
    if rung.slowest > max(_SLOW * rung.item, rung.seconds / 2) > 0:
        return "one slow item"
    longer = rung.item / before.item - 1 if before.item else 0.0
    if before.used - rung.used > max(_UNUSED, longer):
        return "starved" if rung.starved > _STARVED else "scheduler"
    return "shared" if longer > _LONGER else "unknown"


def _told(cause: DipCause, rung: Rung, before: Rung) -> tuple[str, str]:
    """Why, and what to do about it."""
    if cause == "booting":
        here = f"only {rung.present:,} of {count(rung.workers, 'worker')} came in time"
        return f"booting: {here}", "Look at why workers are pending, or use an image that starts sooner."
    if cause == "failures":
        here = f"{count(rung.failed, 'item')} of {rung.items:,} raised"
        return f"failures: {here}", "Look at the errors before you use more workers."
    if cause == "starved":
        here = f"for {percent(rung.starved)} of the time no item was there to be sent"
        return f"starved: {here}", "Pass names of files instead of their content, and let the workers read them."
    if cause == "one slow item":
        here = f"it took {span(rung.slowest)}, {rung.slowest / rung.item:.0f} times as long as others"
        return f"one slow item: {here}", "Put the longest items first, or split them."
    if cause == "scheduler":
        here = f"threads waited for their next task for {percent(1 - rung.used)} of the time, though items were there"
        return f"scheduler-bound: {here}", "Have each item do more, or move less data; more workers don't help."
    if cause == "shared":
        here = f"an item takes {rung.item / before.item:.1f} times as long as before"
        why = "workers wait for what they share: CPUs, memory, a disk, a store"
        return f"{here}: {why}", "Stay below this size, or give each worker more of what they share."
    return "why can't be told from what was measured", "Try it again with the cluster to yourself."
