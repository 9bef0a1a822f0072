"""How a version's answers differ from those that were given before, to the same rows. Pure arithmetic on arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...core.errors import Conflict
from ...registry.measure import ACCURACY, RMSE, Answers, Array, difference, value_of
from ...registry.rows import sample_of

#: Rows that an interval is drawn from at most: more would make it narrower than anybody asks for, and take minutes.
_DRAWN = 20_000

#: Numbers nearer to each other than this part count as the same: rounding does so much.
_NEAR = 1e-6


@dataclass(frozen=True)
class Compared:
    """Answers beside those that were given before.

    Attributes
    ----------
    rows : how many were compared.
    same : the share of the answers that are the same.
    mean, largest : distance between answers that are numbers; None of classes.
    correlation : of answers that are numbers; None where one of them is always the same.
    changes : of classes: (before, now) → rows, the commonest first.
    furthest : the numbers of the rows that differ most, those first; of classes the commonest changes.
    """

    rows: int
    same: float | None = None
    mean: float | None = None
    largest: float | None = None
    correlation: float | None = None
    changes: list[tuple[Any, Any, int]] = field(default_factory=list)
    furthest: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Measures:
    """The metric of both on the same rows.

    Attributes
    ----------
    name : of the metric; `more` is whether more of it is better.
    before, now : the version's that answered, and that of the one that was replayed.
    by : by how much it is better now; `low` and `high` are the bounds of this in 90 % of paired draws.
    rows : those that have labels and both answers; `drawn` are those of them that the bounds are of.
    """

    name: str
    more: bool
    before: float
    now: float
    by: float
    low: float
    high: float
    rows: int
    drawn: int

    @property
    def verdict(self) -> str:
        """ "better", "worse", or "no difference that is more than chance"."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "no difference that is more than chance"


def compare(task: str, before: Array, now: Array, most: int) -> Compared:
    """Answers to the same rows, before and now.

    Parameters
    ----------
    before : as they were logged: numbers, or objects; None and NaN where they aren't known.
    most : rows that are named at most where they differ.

    Raises
    ------
    Conflict : they can't be compared: one answers with text, the other one with numbers.
    """
    known = np.flatnonzero(_known(before))
    if not len(known):
        return Compared(0)
    was, is_ = _alike(before[known], now[known])
    if task == "classification" or was.dtype.kind == "U":
        return _of_classes(was, is_, known, most)
    return _of_numbers(was, is_, known, most)


def _of_classes(was: Array, now: Array, known: Array, most: int) -> Compared:
    differ = np.flatnonzero(was != now)
    (olds, old), (news, new) = (np.unique(values[differ], return_inverse=True) for values in (was, now))
    kinds = old * len(news) + new
    counts = np.bincount(kinds)
    order = [int(kind) for kind in np.argsort(-counts, kind="stable") if counts[kind]]
    left = [differ[kinds == kind][:most].tolist() for kind in order[:most]]
    chosen: list[int] = []
    while len(chosen) < most and any(left):  # some of each, the commonest first
        for rows in left:
            chosen += [rows.pop(0)] if rows and len(chosen) < most else []
    changes = [
        (plain(olds[kind // len(news)].item()), plain(news[kind % len(news)].item()), int(counts[kind]))
        for kind in order
    ]
    return Compared(
        len(known), 1 - len(differ) / len(known), changes=changes, furthest=[int(known[at]) for at in chosen]
    )


def plain(value: Any) -> Any:
    """A class as people write it: what is whole has no point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _of_numbers(was: Array, now: Array, known: Array, most: int) -> Compared:
    apart = np.abs(was - now)
    apart = np.where((was == now) | (np.isnan(was) & np.isnan(now)), 0.0, apart)  # infinite ones may be the same
    apart = np.where(np.isnan(apart), np.inf, apart)
    rows = apart if apart.ndim == 1 else apart.max(1)
    same = rows <= _NEAR * np.maximum(1e-9, np.abs(was if was.ndim == 1 else was.max(1)))
    order = np.argsort(-rows, kind="stable")[:most]
    whole = was.ndim == 1 and np.isfinite(was).all() and np.isfinite(now).all()
    moves = whole and len(was) > 1 and np.ptp(was) > 0 and np.ptp(now) > 0
    return Compared(
        len(known),
        float(same.mean()),
        float(rows.mean()),
        float(rows.max()),
        float(np.corrcoef(was, now)[0, 1]) if moves else None,
        furthest=[int(known[at]) for at in order if not same[at]],
    )


def measures_of(task: str, truth: Array, before: Array, now: Array) -> Measures | None:
    """How good both are, where labels are known; None where there are none, or the task has no metric."""
    metric = {"classification": ACCURACY, "regression": RMSE}.get(task)
    there = np.flatnonzero(_known(truth) & _known(before))
    if metric is None or not len(there):
        return None
    true, was = _alike(truth[there], before[there])
    _, is_ = _alike(truth[there], now[there])
    ours, theirs = Answers(true, is_), Answers(true, was)
    drawn = sample_of(len(there), _DRAWN, 0)
    some = np.arange(len(there)) if drawn is None else drawn
    _, low, high = difference(metric, ours.take(some), theirs.take(some))
    value, other = value_of(metric, ours), value_of(metric, theirs)
    by = (value - other) * (1 if metric.more else -1)
    return Measures(metric.name, metric.more, other, value, by, low, high, len(there), len(some))


def _known(values: Array) -> Array:
    """Where there is a value."""
    if values.dtype.kind == "f":
        return ~np.isnan(values)
    if values.dtype.kind != "O":
        return np.ones(len(values), bool)
    return np.array([value is not None for value in values], bool)


def _alike(before: Array, now: Array) -> tuple[Array, Array]:
    """Both as text, or both as numbers."""
    sides = []
    for values in (before, now):
        if values.dtype.kind == "O":
            texts = [isinstance(value, str) for value in values]
            values = np.array([str(value) for value in values]) if any(texts) else np.array(values.tolist(), float)
        sides.append(values if values.dtype.kind == "U" else values.astype(float))
    was, is_ = sides
    if was.dtype.kind != is_.dtype.kind or was.shape[1:] != is_.shape[1:]:
        kinds = ["text" if each.dtype.kind == "U" else "numbers" if each.ndim == 1 else "lists" for each in sides]
        raise Conflict("These answers can't be compared", f"they were {kinds[0]}, and are {kinds[1]} now", "")
    return was, is_
