"""What a version is asked for in scoring, and whether the columns of the input are those that it takes."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.errors import Conflict, InvalidInput
from ...core.model import ModelVersion
from ...core.words import first_of
from ...home.models import EXAMPLE, ModelFolder
from ..find import find_model, find_version, split_name
from ..flavors import FLAVORS
from ..load import load
from ..rows import read_column, rows_from
from .inputs import Columns, ScoreInput
from .part import ANSWER, CHANCE, KINDS, ScorePlan, is_csv, rows_of

#: Columns that an error names.
_NAMED = 6


def keys_of(version: ModelVersion, given: ScoreInput, keys: Sequence[str] | str | None) -> list[str]:
    """The columns that stand beside the answers: by default all that the version doesn't take.

    Raises
    ------
    InvalidInput : one isn't there, or is called as the answers are.
    """
    there = given.columns[0]
    if keys is None:
        taken = {column.name for column in version.signature.columns}
        chosen = [] if version.signature.kind == "array" else [name for name in there.kinds if name not in taken]
    else:
        chosen = [keys] if isinstance(keys, str) else [str(name) for name in keys]
    for name in chosen:
        if name not in there.kinds:
            raise InvalidInput(f"There is no column {name!r} to stand beside the answers", *_other(name, there))
        if name == ANSWER or name.startswith((f"{ANSWER}_", f"{CHANCE}_")):
            todo = "Rename it, or name those that are to stand beside the answers: keys=['id']."
            raise InvalidInput(f"The column {name!r} would be there twice", "answers are called so, too", todo)
    if len(set(chosen)) < len(chosen):
        raise InvalidInput("A key is named twice", "", "Name each once.")
    return chosen


def version_meant(model: object, cannot: str) -> tuple[ModelFolder, ModelVersion]:
    """The version that rows are to be given to, with its model: by its name, where none is named the champion; or as
    the object that knows its name.

    Parameters
    ----------
    cannot : what something that is no model can't be: "can't score".

    Raises
    ------
    InvalidInput : it is no model.
    UnknownModel, UnknownVersion, Unreadable : there is none.
    Conflict : as `check_version`.
    """
    name = model if isinstance(model, str) else getattr(model, "name", None)
    if not isinstance(name, str):
        raise InvalidInput(f"A {type(model).__name__} {cannot}", "", "Save it first: mlops.save_model(…).")
    model_name, number = split_name(name)
    folder = find_model(model_name)
    version = find_version(folder, number or "champion")
    check_version(version)
    return folder, version


def check_version(version: ModelVersion) -> None:
    """Raise `Conflict` where nobody knows what a version takes, or its answers are no columns."""
    if version.signature.kind == "unknown":
        why = "it was saved without rows, so that nobody knows what it takes"
        raise Conflict(f"{version.name} can't score", why, "Save it again, with valid=(X, y) or example=X.")
    if len(version.signature.answer_shape) > 1:
        why = f"its answer to a row has the shape {version.signature.answer_shape}, which is no row of a table"
        raise Conflict(f"{version.name} can't score", why, "Save a model that gives a number, a label or a list.")


def plan_of(
    folder: ModelFolder, version: ModelVersion, given: ScoreInput, keys: list[str], chances: bool, place: str, note: str
) -> ScorePlan:
    """What all parts have in common; the version is loaded for it.

    Raises
    ------
    InvalidInput : the input isn't what the version takes; chances are wanted, and it gives none.
    ModelChanged, Refused, Conflict : as `load`.
    """
    signature = version.signature
    taken = _taken(version, given.columns[0], keys)
    for columns in given.columns:
        _check_columns(version, columns, taken, keys)
    kept = folder.version(version.number).read(EXAMPLE)
    if kept is None:
        raise Conflict(f"{version.name} can't score", "its example is missing", "Save it again.")
    example, flavor, model = rows_from(kept), FLAVORS[version.flavor], load(folder, version)
    plan = ScorePlan(
        version=version.name,
        digest=version.digest,
        flavor=flavor,
        model=model,
        columns=taken,
        dtypes=example.dtypes,
        categories=example.categories,
        shape=signature.shape if signature.kind == "array" else None,
        keys=keys,
        chances=chances,
        schema=_schema(version, given.fields(keys), _classes(version, flavor, model, example) if chances else []),
        folder=place,
        note=note,
    )
    if given.sample is not None:
        rows_of(plan, given.sample)
    return plan


def _taken(version: ModelVersion, there: Columns, keys: list[str]) -> list[tuple[str, str, bool]]:
    """The columns that a version takes. One that takes arrays has no names for them: these are the first file's, and in
    others they may stand in another order."""
    if version.signature.kind == "table":
        return [(column.name, column.dtype, column.optional) for column in version.signature.columns]
    names, width = [name for name in there.kinds if name not in keys], math.prod(version.signature.shape)
    if len(names) != width:
        why = f"{version.name} takes {width}, in their order, and {there.where} has {len(names)}"
        todo = "Name those that it doesn't take, and leave out what is neither: keys=['id']."
        raise InvalidInput("The columns don't fit", why, todo)
    dtype = version.signature.dtype
    return [(name, dtype, np.dtype(dtype).kind == "f") for name in names]


def _schema(version: ModelVersion, keys: list[Any], classes: list[str]) -> Any:
    """The columns of each part, by Arrow's names and types; those of the answers are of the version's signature."""
    import pyarrow

    signature = version.signature
    try:
        dtype = np.dtype(signature.answer)
        kind = pyarrow.string() if dtype.kind == "U" else pyarrow.from_numpy_dtype(dtype)
    except (TypeError, NotImplementedError):
        raise Conflict(
            f"{version.name} can't score", f"its answers are {signature.answer}, which Parquet can't keep"
        ) from None
    names = (
        [f"{ANSWER}_{number}" for number in range(signature.answer_shape[0])] if signature.answer_shape else [ANSWER]
    )
    answers = [pyarrow.field(name, kind) for name in names]
    return pyarrow.schema(
        [*keys, *answers, *(pyarrow.field(f"{CHANCE}_{label}", pyarrow.float64()) for label in classes)]
    )


def _classes(version: ModelVersion, flavor: Any, model: Any, example: Any) -> list[str]:
    found = flavor.chances(model, example.back())
    if found is None or found[1] is None or found[0].ndim != 2:
        todo = "Leave chances out: its answers alone are written."
        raise InvalidInput(f"{version.name} gives no chances", "it has no predict_proba", todo)
    return [str(label) for label in read_column(found[1], "the model's classes").values.tolist()]


def _check_columns(version: ModelVersion, there: Columns, taken: list[tuple[str, str, bool]], keys: list[str]) -> None:
    for name in keys:
        if name not in there.kinds:
            raise InvalidInput(f"There is no column {name!r} to stand beside the answers", *_other(name, there))
    for name, dtype, _ in taken:
        kind = there.kinds.get(name)
        if kind is None:
            raise InvalidInput(f"The column {name!r} is missing", *_other(name, there))
        _check_kind(version, there, name, kind, dtype)


def _check_kind(version: ModelVersion, there: Columns, name: str, kind: str, dtype: str) -> None:
    words, allowed = KINDS.get(np.dtype(dtype).kind, (dtype, np.dtype(dtype).kind))
    if kind == "?" or kind in allowed or (allowed == "U" and is_csv(there.where)):
        return
    has = KINDS.get(kind, (kind, ""))[0]
    raise InvalidInput(f"The column {name!r} has {has}", f"in {there.where}; {version.name} takes {words}")


def _other(name: str, there: Columns) -> tuple[str, str]:
    """Why a column is missed, and what to do."""
    near = difflib.get_close_matches(name[:200], there.kinds, n=1, cutoff=0.5)
    todo = f"Is {near[0]!r} meant? Rename it." if near else ""
    return f"{there.where} has {first_of([repr(each) for each in there.kinds], _NAMED) or 'no columns'}", todo
