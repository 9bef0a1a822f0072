"""Is a run's work fit for spot: what is computed twice when a machine is taken away. Pure."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from .base import Record, Saying, Seconds, otherwise
from .price import HOUR
from .words import count, percent, span

#: Seconds between two losses of a spot machine, as taken for where nobody has counted them: a market that isn't good.
TAKEN: Seconds = 8 * HOUR

#: The part of the work that may be done twice: below the first nobody minds, below the second it is to be known.
LITTLE, SOME = 0.01, 0.07

#: Seconds that a checkpoint is taken to cost.
CHECKPOINT: Seconds = 30.0

#: How often Dask begins a task anew whose worker was lost, before it fails.
AGAIN = 3

Fitness = Annotated[Literal["fit", "with care", "not yet"], otherwise("with care")]


class SpotFit(Record):
    """Whether work is fit for spot machines: the verdict, the same as a sentence with its figures, and what it rests
    on."""

    fitness: Fitness
    text: Saying
    evidence: Saying = ""


def twice(seconds: Seconds) -> float:
    """The part of the work that is done again where pieces of it take so long and begin anew with each loss."""
    losses = min(50.0, seconds / TAKEN)
    return math.expm1(losses) / losses - 1 if losses > 0 else 0.0


def checkpoint_every() -> Seconds:
    """Seconds between two checkpoints that cost least, by Young's formula."""
    return math.sqrt(2 * CHECKPOINT * TAKEN)


def fit_of_items(seconds: Seconds, noun: str, options: dict[str, Any]) -> SpotFit:
    """Of work in pieces that need nothing of each other.

    Parameters
    ----------
    seconds : that a piece takes; each begins anew when its machine is taken.
    noun : what a piece is called.
    options : of the run: what stays on its workers is lost with them, and `retries` are for its own errors.
    """
    more = twice(seconds)
    takes = f"{noun} takes {span(seconds)}, so that {_less(more)} of the work is done twice"
    retries = options.get("retries")
    own = f"; its own errors are tried {count(retries, 'time')} more" if isinstance(retries, int) and retries else ""
    evidence = (
        f"Where a spot machine is taken away once in {span(TAKEN)}: a lost {noun.split()[-1]} begins anew, up to "
        f"{AGAIN} times{own}"
    )
    if more > SOME:
        parts = math.ceil(seconds / (2 * LITTLE * TAKEN))
        todo = f"split each in {parts:,}, or save a checkpoint every {span(round(checkpoint_every(), -1))}"
        return SpotFit(fitness="not yet", text=f"Not yet fit for spot: {takes}; {todo}", evidence=evidence)
    if options.get("keep"):
        text = f"Fit for spot with care: {takes}, and what is kept on workers is computed again when one is taken"
        return SpotFit(fitness="with care", text=text, evidence=evidence)
    if more > LITTLE:
        return SpotFit(fitness="with care", text=f"Fit for spot with care: {takes}", evidence=evidence)
    return SpotFit(fitness="fit", text=f"Fit for spot: {takes}", evidence=evidence)


def fit_of_gang(workers: int, has_checkpoints: bool) -> SpotFit:
    """Of ranks that need each other: with one of its `workers` all of them begin anew."""
    every = span(round(checkpoint_every() / math.sqrt(max(1, workers)), -1))
    lost = span(TAKEN / max(1, workers))
    evidence = (
        f"Where each of {count(workers, 'spot machine')} is taken away once in {span(TAKEN)}: one of them in {lost}"
    )
    if has_checkpoints:
        text = (
            f"Fit for spot with care: its ranks begin again from the newest checkpoint; one every {every} costs least"
        )
        return SpotFit(fitness="with care", text=text, evidence=evidence)
    text = f"Not yet fit for spot: with one machine all ranks begin anew; save a checkpoint every {every}"
    return SpotFit(fitness="not yet", text=text, evidence=evidence)


def _less(part: float) -> str:
    return "less than 1 %" if part < LITTLE else f"about {percent(part)}"
