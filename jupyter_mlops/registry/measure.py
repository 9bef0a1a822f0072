"""How good a model is on held-out rows, and how sure that is. Pure arithmetic on numpy arrays, with its sources.

A metric is prepared once for its rows and then takes how often each row counts. A bootstrap draws these numbers: rows
with replacement, as many as there are. Two models are compared on the same draws (paired), so that what makes rows
hard for both falls out of the difference.

B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap, 1993: chapter 13 (percentile interval), chapter 16
(bootstrap of paired data).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Draws of a bootstrap, and the number that its generator starts from: the same rows always give the same interval.
DRAWS, SEED = 2000, 20240229

#: Probabilities nearer to 0 or 1 than this count as so near: else one wrong answer would cost infinitely much.
_NEAR = 1e-15

Array = np.ndarray[Any, Any]

#: How often each row counts → the metric; NaN where that can't be said.
Counted = Callable[[Array], float]


@dataclass
class Answers:
    """What is true of rows, and what a model said.

    Parameters
    ----------
    truth : labels or numbers, one for each row.
    said : the model's, of the same kind.
    chances : of each class (in the order of `classes`), one row of them for each row; None where the model has none.
    classes : the labels that `chances` are of.
    """

    truth: Array
    said: Array
    chances: Array | None = None
    classes: Array | None = None

    def take(self, chosen: Any) -> Answers:
        """The chosen rows."""
        chances = None if self.chances is None else self.chances[chosen]
        return Answers(self.truth[chosen], self.said[chosen], chances, self.classes)


@dataclass(frozen=True)
class Metric:
    """A metric: whether more of it is better, and how it is prepared for answers."""

    name: str
    more: bool
    prepare: Callable[[Answers], Counted]


def _accuracy(answers: Answers) -> Counted:
    """The share of labels that are right."""
    return _mean((answers.truth == answers.said).astype(float))


def _balanced_accuracy(answers: Answers) -> Counted:
    """The mean over the true classes of the share of each that is found."""
    classes, truth = np.unique(answers.truth, return_inverse=True)
    hit = (answers.truth == answers.said).astype(float)

    def of(counts: Array) -> float:
        there = np.bincount(truth, counts, len(classes))
        found = np.bincount(truth, counts * hit, len(classes))
        return float(np.mean(found[there > 0] / there[there > 0]))

    return of


def _f1(answers: Answers) -> Counted:
    """The mean over all classes of 2·TP / (2·TP + FP + FN), "macro" in scikit-learn."""
    known = np.unique(np.concatenate([answers.truth, answers.said]))
    truth, said = np.searchsorted(known, answers.truth), np.searchsorted(known, answers.said)
    hit = (truth == said).astype(float)

    def of(counts: Array) -> float:
        both = np.bincount(truth, counts, len(known)) + np.bincount(said, counts, len(known))
        right = np.bincount(truth, counts * hit, len(known))
        return float(np.mean(2 * right[both > 0] / both[both > 0]))

    return of


def _roc_auc(answers: Answers) -> Counted:
    """The share of pairs of one row of each class that are in the right order, ties counting half (Hanley and McNeil,
    Radiology 143, 1982)."""
    assert answers.chances is not None and answers.classes is not None
    positive = (answers.truth == answers.classes[1]).astype(float)
    _, place = np.unique(answers.chances[:, 1], return_inverse=True)
    most = int(place.max()) + 1

    def of(counts: Array) -> float:
        pos = np.bincount(place, counts * positive, most)
        neg = np.bincount(place, counts * (1 - positive), most)
        below = np.cumsum(neg) - neg
        pairs = pos.sum() * neg.sum()
        return float((pos * (below + neg / 2)).sum() / pairs) if pairs else float("nan")

    return of


def _log_loss(answers: Answers) -> Counted:
    """The mean of −log of the chance that was given to what is true."""
    assert answers.chances is not None and answers.classes is not None
    at = np.searchsorted(answers.classes, answers.truth)
    chance = answers.chances[np.arange(len(at)), at]
    return _mean(-np.log(np.clip(chance, _NEAR, 1.0)))


def _mae(answers: Answers) -> Counted:
    """The mean of the absolute error."""
    return _mean(np.abs(answers.truth - answers.said))


def _rmse(answers: Answers) -> Counted:
    """The root of the mean of the squared error."""
    mean = _mean((answers.truth - answers.said) ** 2)
    return lambda counts: float(np.sqrt(mean(counts)))


def _r2(answers: Answers) -> Counted:
    """1 − the squared error / that of the mean of the truth."""
    truth, error = answers.truth.astype(float), (answers.truth - answers.said) ** 2

    def of(counts: Array) -> float:
        total = counts.sum()
        spread = counts @ (truth - counts @ truth / total) ** 2
        return float(1 - counts @ error / spread) if spread > 0 else float("nan")

    return of


def _mean(values: Array) -> Counted:
    return lambda counts: float(counts @ values / counts.sum())


ACCURACY = Metric("accuracy", True, _accuracy)
RMSE = Metric("rmse", False, _rmse)

_LABELS = (
    ACCURACY,
    Metric("balanced_accuracy", True, _balanced_accuracy),
    Metric("f1", True, _f1),
)
_CHANCES = (Metric("log_loss", False, _log_loss),)
_TWO_CLASSES = (Metric("roc_auc", True, _roc_auc),)
_NUMBERS = (RMSE, Metric("mae", False, _mae), Metric("r2", True, _r2))

METRICS = {metric.name: metric for metric in (*_LABELS, *_CHANCES, *_TWO_CLASSES, *_NUMBERS)}


def metrics_for(task: str, answers: Answers) -> list[Metric]:
    """The metrics of a task for which the answers have what they need; the first is what it is judged by by default."""
    if task == "regression":
        return list(_NUMBERS)
    if task != "classification":
        return []
    found = list(_LABELS)
    if answers.chances is not None and answers.classes is not None and np.isin(answers.truth, answers.classes).all():
        found += [*_CHANCES, *(_TWO_CLASSES if len(answers.classes) == 2 else ())]
    return found


def value_of(metric: Metric, answers: Answers) -> float:
    """The metric on all rows once."""
    return metric.prepare(answers)(np.ones(len(answers.truth)))


def intervals(
    metrics: Sequence[Metric], answers: Answers, draws: int = DRAWS, seed: int = SEED
) -> list[tuple[float, float]]:
    """The middle 95 % of each metric over the same bootstrap draws, since to draw takes longer than to count; NaN and
    NaN where no draw has one.

    Parameters
    ----------
    draws : how many.
    seed : of their generator.
    """
    counted = [metric.prepare(answers) for metric in metrics]
    values = np.array([[of(counts) for of in counted] for counts in _drawn(len(answers.truth), draws, seed)])
    return [_quantiles(each, 0.025, 0.975) for each in values.T]


def difference(
    metric: Metric, ours: Answers, theirs: Answers, draws: int = DRAWS, seed: int = SEED
) -> tuple[float, float, float]:
    """By how much `ours` is better than `theirs` on the same rows: on all of them, and the bounds between which the
    difference lies in 90 % of paired draws. The lower one is that of a one-sided interval of 95 %.

    Raises
    ------
    ValueError : the answers are not to the same rows.
    """
    if len(ours.truth) != len(theirs.truth) or not np.array_equal(ours.truth, theirs.truth):
        raise ValueError("the answers are to different rows")
    sign = 1 if metric.more else -1
    one, other = metric.prepare(ours), metric.prepare(theirs)
    every = np.ones(len(ours.truth))
    values = np.array([sign * (one(counts) - other(counts)) for counts in _drawn(len(every), draws, seed)])
    return sign * (one(every) - other(every)), *_quantiles(values, 0.05, 0.95)


def _drawn(rows: int, draws: int, seed: int) -> Iterator[Array]:
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        yield np.bincount(generator.integers(0, rows, rows), minlength=rows).astype(float)


def _quantiles(values: Array, low: float, high: float) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    found = np.quantile(values, [low, high])
    return float(found[0]), float(found[1])
