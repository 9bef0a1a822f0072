"""Asking a model: its answers to rows as arrays, and what they mean for its task."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import InvalidInput
from ..core.model import Signature
from .flavors import Flavor
from .measure import Answers, Array
from .rows import PlainColumn, Rows, read_column

#: Numbers of classes from which on whole numbers are rather amounts.
_CLASSES = 100


def ask(flavor: Flavor, model: Any, rows: Rows) -> Array:
    """A model's answers to rows, one for each.

    Raises
    ------
    InvalidInput : it can't answer them, or not each of them.
    """
    try:
        given = flavor.predict(model, rows.back())
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        todo = "Are these the columns that it was trained on, in the same form? Is it fitted?"
        raise InvalidInput("The model can't answer the rows", why, todo) from error
    if hasattr(given, "detach"):
        given = given.detach().cpu().numpy()
    answers = np.asarray(given)
    if answers.ndim == 2 and answers.shape[1] == 1:
        answers = answers[:, 0]
    if answers.ndim == 0 or len(answers) != len(rows):
        got = "one answer" if answers.ndim == 0 else f"{len(answers):,} answers"
        raise InvalidInput("The model doesn't answer each row", f"it gave {got} to {len(rows):,} rows", "")
    return read_column(answers, "the model's answers").values if answers.dtype.kind in "OS" else answers


def task_of(model: Any, truth: Array, answers: Array) -> str:
    """What a model does, judged by what it says and by what is true: classification, regression or other."""
    if answers.ndim > 2:
        return "other"
    if callable(getattr(model, "predict_proba", None)) or getattr(model, "classes_", None) is not None:
        return "classification"
    if truth.dtype.kind in "Ub":
        return "classification"
    if truth.dtype.kind == "f" and not np.array_equal(truth, np.floor(truth)):
        return "regression"
    few = len(np.unique(truth)) <= _CLASSES
    if answers.ndim == 2:
        return "classification" if few and answers.shape[1] > int(truth.max()) else "other"
    if _are_chances(truth, answers):
        return "classification"
    return "classification" if answers.dtype.kind in "iu" and few and np.isin(answers, truth).all() else "regression"


def meant(task: str, flavor: Flavor, model: Any, rows: Rows, truth: Array, answers: Array) -> Answers:
    """The answers as what the task's metrics take.

    Of numbers for each class the largest is the answer; one number between 0 and 1 is the chance of the class 1.

    Raises
    ------
    InvalidInput : they can't be compared with what is true.
    """
    if task == "regression":
        if answers.ndim != 1 or answers.dtype.kind not in "iufb" or truth.dtype.kind not in "iufb":
            raise InvalidInput("This is no regression", "the answers or valid's y are not single numbers", "")
        return Answers(truth.astype(float), answers.astype(float))
    if answers.ndim == 2 and truth.dtype.kind == "U":
        why = "it answers with a number for each class, and y holds text"
        raise InvalidInput(
            "The model's answers and valid's y can't be compared", why, "Give y as the classes' numbers."
        )
    if answers.ndim == 2:
        chances = _softmax(answers) if (answers < 0).any() or (abs(answers.sum(1) - 1) > 1e-3).any() else answers
        return Answers(truth, answers.argmax(1), chances, np.arange(answers.shape[1]))
    if answers.dtype.kind == "f" and _are_chances(truth, answers):
        chances = np.column_stack([1 - answers, answers])
        return Answers(truth.astype(int), (answers >= 0.5).astype(int), chances, np.array([0, 1]))
    if (answers.dtype.kind == "U") != (truth.dtype.kind == "U"):
        kinds = ["text" if each.dtype.kind == "U" else "numbers" for each in (answers, truth)]
        why = f"it answers with {kinds[0]}, and y holds {kinds[1]}"
        raise InvalidInput("The model's answers and valid's y can't be compared", why, "Use the same labels in both.")
    found = flavor.chances(model, rows.back())
    if found is None or found[1] is None or found[0].shape != (len(truth), len(found[1])):
        return Answers(truth, answers)
    return Answers(truth, answers, found[0], read_column(found[1], "the model's classes").values)


def given(signature: Signature, answers: Answers) -> Array | None:
    """What a model gave to each row, of what that `meant`; None where it gave several numbers, or that isn't known."""
    if signature.kind == "unknown" or signature.answer_shape:
        return None
    if answers.chances is not None and signature.answer.startswith("float") and answers.said.dtype.kind in "iu":
        return answers.chances[:, 1]
    return answers.said


def said(task: str, answers: Array) -> Array:
    """What answers mean for a task, without asking the model again: labels of a classification, else what they are.

    Raises
    ------
    InvalidInput : as `meant`.
    """
    if task != "classification":
        return answers
    labels = answers.ndim == 1 and answers.dtype.kind != "f"
    nothing = Rows(None, [PlainColumn(np.zeros(0))])
    return meant(task, Flavor(), None, nothing, answers if labels else np.zeros(len(answers), int), answers).said


def same(before: Array, now: Array) -> str:
    """How answers differ; empty when they don't, but for what rounding may do."""
    if before.shape != now.shape:
        return f"its shape is {now.shape}, and was {before.shape}"
    if before.dtype.kind in "fc" or now.dtype.kind in "fc":
        try:
            equal = np.isclose(before.astype(float), now.astype(float), rtol=1e-5, atol=1e-8, equal_nan=True)
        except (TypeError, ValueError):
            equal = before == now
    else:
        equal = before == now
    if np.all(equal):
        return ""
    at = tuple(int(place) for place in np.argwhere(~np.asarray(equal))[0])
    return f"row {at[0]} gives {now[at]}, and gave {before[at]}"


def _are_chances(truth: Array, answers: Array) -> bool:
    """Whether single numbers are chances of the class 1 of 0 and 1."""
    if answers.dtype.kind != "f" or truth.dtype.kind not in "iubf" or not np.isin(truth, (0, 1)).all():
        return False
    return bool((answers >= 0).all() and (answers <= 1).all())


def _softmax(values: Array) -> Array:
    powers = np.exp(values - values.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))
