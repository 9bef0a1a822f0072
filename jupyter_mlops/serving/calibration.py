"""What a version's own doubts are worth: of answers that it was so sure of, how many were right where that is known.

Chances of models mean little by themselves: many are too sure. So they are read as the share of answers that were right
among held-out rows with such a chance, which grows with it: isotonic regression, by pooling neighbours that don't (M.
Ayer et al., "An Empirical Distribution Function for Sampling with Incomplete Information", 1955).
"""

from __future__ import annotations

import numpy as np

from ..core.model import ModelVersion
from ..home.models import ANSWERS, VersionFolder
from ..registry.measure import Answers, Array
from ..registry.rows import undump

#: Held-out rows that it needs, and groups of about as many rows that it begins with.
_LEAST, _GROUPS = 50, 100


class Calibration:
    """Turns how sure answers are into the chance that they are right.

    Parameters
    ----------
    sure : the chance that the model gave to each answer, for held-out rows.
    right : whether it was right.
    """

    def __init__(self, sure: Array, right: Array) -> None:
        # Rows with the same chance are read alike, so that no bound may be among them: forests have few chances.
        known, at, counts = np.unique(sure, return_inverse=True, return_counts=True)
        middles = counts.cumsum() - counts / 2
        groups = np.minimum((middles * _GROUPS / len(sure)).astype(int), _GROUPS - 1)
        hits = np.bincount(groups, np.bincount(at, right, len(known)))
        rows = np.bincount(groups, counts)
        bounds = np.full(len(rows), -np.inf)
        np.maximum.at(bounds, groups, known)
        self._means: list[float] = []
        self._bounds: list[float] = []
        weights: list[float] = []
        for group in np.flatnonzero(rows):
            mean, weight = float(hits[group] / rows[group]), float(rows[group])
            while self._means and self._means[-1] >= mean:
                mean = (self._means.pop() * weights[-1] + mean * weight) / (weights[-1] + weight)
                weight += weights.pop()
                self._bounds.pop()
            self._means.append(mean)
            weights.append(weight)
            self._bounds.append(float(bounds[group]))

    def __call__(self, sure: Array) -> Array:
        """The chance of each answer to be right."""
        at = np.searchsorted(np.array(self._bounds[:-1]), sure, "left")
        return np.asarray(np.array(self._means)[at])


def sureness(answers: Answers) -> Array | None:
    """The chance that was given to each answer; None where the model gives none."""
    if answers.chances is None or answers.classes is None:
        return None
    order = np.argsort(answers.classes)
    known = answers.classes[order]
    at = np.clip(np.searchsorted(known, answers.said), 0, len(known) - 1)
    given = answers.chances[np.arange(len(at)), order[at]]
    return np.where(known[at] == answers.said, np.nan_to_num(given), 0.0)


def calibration_of(folder: VersionFolder, version: ModelVersion) -> tuple[Calibration | None, str]:
    """How a version's doubts are to be read; or, why they can't be."""
    if version.task != "classification":
        return None, "a number says nothing of how sure the version is" if version.task == "regression" else ""
    kept = folder.read(ANSWERS)
    if kept is None:
        return None, "the version was saved without valid, so that nobody knows how often it is right when it is sure"
    try:
        _, arrays = undump(kept)
        answers = Answers(arrays["truth"], arrays["said"], arrays.get("chances"), arrays.get("classes"))
        sure, right = sureness(answers), np.asarray(answers.truth == answers.said)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a file, who can't estimate can still answer
        return None, f"its answers to held-out rows can't be read ({type(error).__name__})"
    if sure is None:
        return None, "the version doesn't say how sure it is: it has no predict_proba"
    if len(sure) < _LEAST:
        return None, f"the version was measured with {len(sure):,} rows, and {_LEAST} are needed at least"
    return Calibration(sure, right), ""
