"""A version that answers: loaded, tried with its example, and asked for many requests at once."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from ..core.errors import Conflict, InvalidInput
from ..core.model import ModelVersion
from ..core.words import first_of, listed
from ..home.models import EXAMPLE, ModelFolder
from ..registry.answers import ask, meant, said, same
from ..registry.flavors import FLAVORS, Flavor
from ..registry.load import load
from ..registry.measure import Array
from ..registry.rows import NumberRows, PlainColumn, Rows, joined, rows_from
from .asked import AskedReader
from .calibration import sureness

#: Columns that an error names.
_NAMED = 3


@dataclass(frozen=True)
class NoAnswer:
    """Why there is no answer: the caller's fault (400), or the model's (500)."""

    status: int
    words: str


@dataclass
class Predictor:
    """A version, ready to answer.

    Parameters
    ----------
    plain : whether it takes a table's numbers as an array, and answers the same: no table is made then, which takes
        longer than most models.
    apart : whether each request is asked by itself, because an answer may depend on the rows beside it.
    """

    name: str
    flavor: Flavor
    model: Any
    asked: AskedReader
    plain: bool = False
    apart: bool = False
    #: Of the model.
    task: str = "other"

    def answers(self, requests: list[Rows]) -> list[Array | NoAnswer]:
        """The answers to requests, which are asked together where that changes nothing.

        One that can't be answered doesn't spoil the others: each is asked by itself then.
        """
        if len(requests) > 1 and not self.apart:
            try:
                whole = self._ask(joined(requests))
                ends = accumulate(map(len, requests))
                return [whole[end - len(rows) : end] for rows, end in zip(requests, ends, strict=True)]
            except (InvalidInput, ValueError, TypeError):
                pass
        return [self._one(rows) for rows in requests]

    def meanings(self, requests: list[Rows], answers: list[Array], *, asks: bool) -> tuple[list[object], Array | None]:
        """What answers mean for the task, as labels or numbers; and the chance that the model gives to each of them.

        Parameters
        ----------
        asks : whether the model may be asked for that. Some say it with their answers.
        """
        raw = np.concatenate(answers)
        if self.task != "classification":
            return raw.tolist(), None
        try:
            if not asks:
                return said(self.task, raw).tolist(), None
            truth = raw if raw.ndim == 1 and raw.dtype.kind != "f" else np.zeros(len(raw), int)
            found = meant(self.task, self.flavor, self.model, self._shaped(joined(requests)), truth, raw)
        except Exception:  # noqa: BLE001 - a model that fails here has answered all the same
            return raw.tolist(), None
        return found.said.tolist(), sureness(found)

    def _shaped(self, rows: Rows) -> Rows:
        """As what the model takes: arrays of its own, since it may write into them, and the rows are counted later."""
        if self.plain and isinstance(rows, NumberRows):
            return Rows(None, [PlainColumn(rows.numbers.copy())])
        if self.plain and rows.names is not None:
            return Rows(None, [PlainColumn(np.column_stack([column.values for column in rows.columns]))])
        return rows

    def _one(self, rows: Rows) -> Array | NoAnswer:
        try:
            return self._ask(rows)
        except InvalidInput as error:
            missing = [repr(name) for name, column in rows.features() if column.missing.any()]
            if missing:
                told = f"Values of {first_of(missing, _NAMED)} are missing, and {self.name} can't answer without"
                return NoAnswer(400, f"{told}: {error.why}")
            return NoAnswer(500, f"{self.name} failed: {error.why}")

    def _ask(self, rows: Rows) -> Array:
        if rows.names is None:
            rows = Rows(None, [PlainColumn(rows.columns[0].values.copy())])
        return ask(self.flavor, self.model, self._shaped(rows))


def load_predictor(folder: ModelFolder, version: ModelVersion, digest: str) -> Predictor:
    """A version, once it has answered its example as it did when it was saved.

    Parameters
    ----------
    digest : of the version that is meant.

    Raises
    ------
    ModelChanged, Refused, Conflict : as `load`; or it isn't known what it takes, or it can't come as JSON.
    """
    if version.digest != digest:
        raise Conflict(
            f"{version.name} isn't the one that was deployed", "another was saved in its place", "Deploy it."
        )
    kept = folder.version(version.number).read(EXAMPLE)
    if kept is None or version.signature.kind == "unknown":
        raise Conflict(
            f"{version.name} can't be served",
            "it was saved without rows, so that nobody knows what it takes",
            "Save it again, with valid=(X, y) or example=X.",
        )
    example = rows_from(kept)
    asked = AskedReader(version.signature, example)
    # It is told once here that a pipeline gets plain numbers: that these do as well as a table is tried below.
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    predictor = Predictor(version.name, FLAVORS[version.flavor], load(folder, version), asked, task=version.task)
    answer = ask(predictor.flavor, predictor.model, example)
    predictor.plain = _takes_plain(predictor, example, answer)
    predictor.apart = not _answers_each_row(predictor, example, answer)
    return predictor


def _takes_plain(predictor: Predictor, example: Rows, answer: Array) -> bool:
    """Whether the model answers an array of a table's numbers as it does the table."""
    numbers = all(column.numeric and column.gaps is None for column in example.columns)
    if example.names is None or example.categories or not numbers or predictor.flavor.name not in ("sklearn", "onnx"):
        return False
    tried = Predictor(predictor.name, predictor.flavor, predictor.model, predictor.asked, plain=True)
    try:
        return not same(answer, tried._ask(example))  # noqa: SLF001 - one of its own
    except InvalidInput:
        return False


def _answers_each_row(predictor: Predictor, example: Rows, answer: Array) -> bool:
    """Whether the answer to a row is the same whatever rows are beside it."""
    rows = [example.take(slice(at, at + 1)) for at in range(len(example))]
    alone = predictor.answers(rows[:1])[0]
    beside = predictor.answers([*rows, *rows])
    if isinstance(alone, NoAnswer) or any(isinstance(each, NoAnswer) for each in beside):
        return False
    return not same(answer[:1], alone) and not same(np.concatenate([answer, answer]), np.concatenate(beside))  # type: ignore[arg-type]  # none is a NoAnswer


def described(predictor: Predictor) -> str:
    """How it answers, for the log."""
    how = ["its rows as plain numbers"] if predictor.plain else []
    how += ["each request by itself: an answer may depend on the rows beside it"] if predictor.apart else []
    return f"{predictor.name} answers" + (f", {listed(how)}" if how else "")
