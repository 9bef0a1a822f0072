"""Saving a version: all that is needed to use, judge and trust it later, in one folder that is there or isn't."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import InvalidInput, MlopsError
from ..core.model import ColumnSpec, Measured, ModelVersion, Signature
from ..core.trail import TrailEntry
from ..home import guarded
from ..home.acting import here
from ..home.models import (
    ANSWERS,
    BASELINE,
    CARD,
    EXAMPLE,
    EXAMPLE_ANSWER,
    NOTEBOOK,
    ROWS,
    SBOM,
    SOURCE,
    ModelFolder,
    VersionFolder,
    digest_of_files,
    model_folder,
)
from ..home.owner import me
from ..tracking.child import bring_models
from . import mlmodel
from .answers import ask, meant, same, task_of
from .baseline import baseline_of
from .card import card
from .describe import describe_held, description_text, tags_of
from .doors import lineage, running, typed
from .environment import freeze, imports_of, modules_beside, packages_of, python_version, sbom
from .flavors import Flavor, flavor_of
from .measure import SEED, Answers, Array, intervals, metrics_for, value_of
from .notebook import kept_notebook
from .rows import Rows, dump, read_rows, read_truth, sample_of
from .trails import write_trail

#: Held-out rows that a version is measured on, and bytes of them that are kept.
MOST_ROWS, MOST_KEPT = 100_000, 64_000_000

#: Rows of an example.
_EXAMPLE = 5


@dataclass
class HeldOut:
    """Rows that a model wasn't trained on, what is true of them, and what it answered."""

    rows: Rows
    truth: Array
    raw: Array
    answers: Answers | None
    task: str


def save(
    model: Any,
    name: str,
    *,
    valid: Any = None,
    train: Any = None,
    example: Any = None,
    metrics: Mapping[str, float] | None = None,
    task: str | None = None,
    run: Any = None,
    note: str = "",
    keep_rows: bool = True,
    tags: Iterable[str] = (),
    description: str | None = None,
) -> ModelVersion:
    """A new version of the model `name`; the parameters are those of `mlops.save_model`."""
    folder = model_folder(name)
    running()  # says at once where nothing could be saved
    if task not in (None, "classification", "regression", "other"):
        raise InvalidInput(f"task can't be {task!r}", "", "There are: classification, regression, other.")
    own, said = _own_metrics(metrics), (tags_of(tags), description_text(description))
    flavor = flavor_of(model)
    held_out = None if valid is None else _held_out(flavor, model, valid, task)
    trained = None if train is None else read_rows(_first_of_pair(train), "train's X")
    shown = _example(example, held_out, trained)
    answer = None if shown is None else ask(flavor, model, shown)
    stable = shown is None or answer is None or not same(answer, ask(flavor, model, shown))
    imports = imports_of(model) | set(flavor.packages) | ({"pandas"} if shown is not None and shown.names else set())
    made, source = lineage(run)
    notebook = kept_notebook(made.notebook, source if made.run else typed())
    made = made.model_copy(
        update={
            "notebook_saved": None if notebook is None else notebook.saved,
            "unsaved": notebook is not None and notebook.unsaved,
            "train": trained.digest() if trained is not None else "",
            "valid": _digest(held_out) if held_out is not None else "",
        }
    )
    packages, signature = packages_of(imports), _signature(shown, answer)
    measured = _measured(held_out) | own
    with folder.draft() as draft, _said(draft.path):
        flavors = _write_artifact(draft, flavor, model, signature, packages, modules_beside(imports), shown)
        for path, content in _files(held_out, trained, shown, answer if stable else None, source, keep_rows).items():
            draft.write(path, content)
        if notebook is not None:
            draft.write(NOTEBOOK, notebook.content)
        draft.write("freeze.txt", freeze())
        draft.write(SBOM, sbom(name, "", packages))
        files = draft.digests()
        record = ModelVersion(
            model=name,
            number=0,
            created=time.time(),
            owner=me(),
            task=task or (held_out.task if held_out is not None else "other"),
            flavor=flavor.name,
            runs_code=flavor.runs_code or "code" in flavors["python_function"],
            note=note,
            digest=digest_of_files(files),
            files=files,
            size=sum((draft.path / path).stat().st_size for path in files),
            signature=signature,
            metrics=measured,
            python=python_version(),
            platform=_platform(),
            packages=packages,
            made=made,
        )
        return _keep(folder, draft, record, held_out, not stable, *said)


def _keep(
    folder: ModelFolder,
    draft: VersionFolder,
    record: ModelVersion,
    held_out: HeldOut | None,
    unstable: bool,
    tags: list[str],
    description: str | None,
) -> ModelVersion:
    """Give the draft its number, and make it a version; its trail says so."""
    with folder.locked():
        numbers = [*folder.numbers(), *(_number(entry) for entry in folder.trail() if entry.verb == "saved")]
        record = record.model_copy(update={"number": max(numbers, default=0) + 1})
        describe_held(folder, text=description, add=tags)  # before: where it can't be, nothing is kept
        draft.write(CARD, card(record, held_out=0 if held_out is None else len(held_out.rows), unstable=unstable))
        kept = folder.keep(draft, record.number, record)
        try:
            write_trail(folder, here(), "saved", record.name, after=_words(record), digest=record.digest)
        except BaseException:
            with contextlib.suppress(OSError):
                kept.path.rename(draft.path)  # which is removed
            raise
    tell_mlflow()
    return record


def tell_mlflow() -> None:
    """Have MLflow's registry show what has changed, without waiting for it. What a run does its server has brought, or
    the next kernel: a process that a run starts ends with the run."""
    if here().how != "run":
        bring_models()


def answers_file(answers: Answers, digest: str) -> bytes:
    """Answers to held-out rows as they are kept, with the digest of these rows."""
    arrays = {"truth": answers.truth, "said": answers.said}
    if answers.chances is not None and answers.classes is not None:
        arrays |= {"chances": answers.chances, "classes": answers.classes}
    return dump({"rows": digest}, arrays)


def read_valid(valid: Any) -> tuple[Rows, Array]:
    """Held-out rows and what is true of them: all, or a part that is always the same one; raises `InvalidInput`."""
    if not isinstance(valid, (tuple, list)) or len(valid) != 2:
        raise InvalidInput("valid must be (X, y)", f"got a {type(valid).__name__}", "Give held-out rows: valid=(X, y).")
    rows = read_rows(valid[0])
    if len(rows) == 0:
        raise InvalidInput("valid has no rows")
    truth = read_truth(valid[1], len(rows))
    chosen = sample_of(len(rows), MOST_ROWS, SEED)
    return (rows, truth) if chosen is None else (rows.take(chosen), truth[chosen])


def digest_of_rows(rows: Rows, truth: Array) -> str:
    """The digest of held-out rows with what is true of them."""
    from .rows import PlainColumn

    return Rows(None, [PlainColumn(truth)]).digest()[:32] + rows.digest()[:32]


def _digest(held_out: HeldOut) -> str:
    return digest_of_rows(held_out.rows, held_out.truth)


def _held_out(flavor: Flavor, model: Any, valid: Any, task: str | None) -> HeldOut:
    rows, truth = read_valid(valid)
    raw = ask(flavor, model, rows)
    found = task or task_of(model, truth, raw)
    answers = None if found == "other" else meant(found, flavor, model, rows, truth, raw)
    return HeldOut(rows, truth, raw, answers, found)


def _measured(held_out: HeldOut | None) -> dict[str, Measured]:
    if held_out is None or held_out.answers is None:
        return {}
    every = {metric: value_of(metric, held_out.answers) for metric in metrics_for(held_out.task, held_out.answers)}
    values = {metric: value for metric, value in every.items() if np.isfinite(value)}
    found = {}
    for (metric, value), (low, high) in zip(values.items(), intervals([*values], held_out.answers), strict=True):
        known = {"low": low, "high": high} if np.isfinite(low) and np.isfinite(high) else {}
        found[metric.name] = Measured(value=value, rows=len(held_out.truth), more=metric.more, **known)
    return found


def _own_metrics(metrics: Mapping[str, float] | None) -> dict[str, Measured]:
    found = {}
    for name, value in (metrics or {}).items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if not np.isfinite(number):
            raise InvalidInput(f"The metric {name!r} is {value!r}", "a metric is a number", "Leave it out.")
        found[str(name)] = Measured(value=number)
    return found


def _example(example: Any, held_out: HeldOut | None, trained: Rows | None) -> Rows | None:
    """The rows that a version is tried with when it is loaded."""
    if example is not None:
        rows = read_rows(example, "example")
    elif held_out is not None:
        rows = held_out.rows
    elif trained is not None:
        rows = trained
    else:
        return None
    if held_out is not None and rows.names != held_out.rows.names:
        why = f"{_columns(rows)}, and valid has {_columns(held_out.rows)}"
        raise InvalidInput("example and valid are not alike", f"example has {why}", "Give rows of the same columns.")
    return rows.take(slice(0, _EXAMPLE))


def _columns(rows: Rows) -> str:
    return "no names" if rows.names is None else f"the columns {', '.join(rows.names[:8])}"


def _signature(shown: Rows | None, answer: Array | None) -> Signature:
    if shown is None or answer is None:
        return Signature()
    told = {"answer": _dtype(answer), "answer_shape": list(answer.shape[1:])}
    if shown.names is None:
        values = shown.columns[0].values
        return Signature(kind="array", shape=list(values.shape[1:]), dtype=_dtype(values), **told)
    columns = [
        ColumnSpec(name=name, dtype=_dtype(column.values), optional=column.values.dtype.kind in "fUM")
        for name, column in zip(shown.names, shown.columns, strict=True)
    ]
    return Signature(kind="table", columns=columns, **told)


def _dtype(values: Array) -> str:
    return "str" if values.dtype.kind == "U" else str(values.dtype)


def _write_artifact(
    draft: VersionFolder,
    flavor: Flavor,
    model: Any,
    signature: Signature,
    packages: dict[str, str],
    modules: dict[str, str],
    shown: Rows | None,
) -> dict[str, dict[str, Any]]:
    """The model in MLflow's format, with the modules that lie beside the notebook."""
    with guarded(draft.artifact):
        draft.artifact.mkdir(mode=0o700)
    flavors = flavor.write(model, draft.artifact)
    for path, text in modules.items():
        draft.write(f"{draft.artifact.name}/code/{path}", text)
    mlmodel.write(draft.artifact, flavors, signature, packages, (draft.artifact / "code").exists())
    if shown is not None:
        mlmodel.write_example(draft.artifact, shown)
    return flavors


def _files(
    held_out: HeldOut | None,
    trained: Rows | None,
    shown: Rows | None,
    answer: Array | None,
    source: str,
    keep_rows: bool,
) -> dict[str, str | bytes]:
    """The version's files beside the model: name → content."""
    found: dict[str, str | bytes] = {}
    if source:
        found[SOURCE] = source
    if shown is not None:
        found[EXAMPLE] = shown.dump()
    if answer is not None:
        found[EXAMPLE_ANSWER] = dump({}, {"answer": answer})
    if held_out is not None and held_out.answers is not None:
        found[ANSWERS] = answers_file(held_out.answers, _digest(held_out))
    if held_out is not None and keep_rows and _bytes(held_out.rows) <= MOST_KEPT:
        found[ROWS] = held_out.rows.dump()
    if trained is not None or held_out is not None:
        base = trained or (held_out.rows if held_out is not None else None)
        assert base is not None
        answered = held_out.raw if held_out is not None and trained is None else None
        known = baseline_of(base, "train" if trained is not None else "valid", answered)
        if held_out is not None and trained is not None:
            known.answers = baseline_of(held_out.rows.take(slice(0, 0)), "", held_out.raw).answers
        found[BASELINE] = json.dumps(known.model_dump(mode="json"))
    return found


def _bytes(rows: Rows) -> int:
    return sum(column.values.nbytes for column in rows.columns)


def _first_of_pair(train: Any) -> Any:
    return train[0] if isinstance(train, tuple) and len(train) == 2 else train


def _platform() -> str:
    import platform

    return f"{platform.system()} {platform.machine()}"


def _number(entry: TrailEntry) -> int:
    number = entry.object.rpartition("@")[2]
    return int(number) if number.isdigit() else 0


def _words(record: ModelVersion) -> str:
    known = ", ".join(f"{name} {each.value:.4g}" for name, each in list(record.metrics.items())[:3])
    return known or record.flavor


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    """What a disk refuses while a library writes, in our words, however the library has wrapped it."""
    try:
        yield
    except MlopsError:
        raise
    except Exception as error:  # noqa: BLE001 - of any kind: it is raised again, or what it was made of
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__cause__ or cause.__context__
        with guarded(path.parent):
            raise cause or error from None
