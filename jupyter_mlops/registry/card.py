"""A version's card: Markdown with a head in YAML, whose fields are Hugging Face's (docs/hub/model-cards there).

What is known is filled in. What the model is for, and where it fails, is for people to write.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ..client.words import cost_so_far
from ..core import words
from ..core.model import ModelVersion, Signature
from .flavors import FLAVORS

#: Our tasks in Hugging Face's words.
_TASKS = {"classification": "tabular-classification", "regression": "tabular-regression"}

#: Columns that are listed.
_MOST = 50


def card(version: ModelVersion, *, held_out: int, unstable: bool) -> str:
    """The card of a version that was saved just now.

    Parameters
    ----------
    held_out : rows that it was measured on.
    unstable : whether it answered its example differently when it was asked twice.
    """
    import yaml

    head = yaml.safe_dump(_head(version), sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n" + "\n".join(_body(version, held_out, unstable)) + "\n"


def _head(version: ModelVersion) -> dict[str, Any]:
    known = FLAVORS.get(version.flavor)
    head: dict[str, Any] = {"library_name": known.library if known else version.flavor, "tags": ["jupyter-mlops"]}
    if task := _TASKS.get(version.task):
        head["pipeline_tag"] = task
    if version.metrics:
        head["metrics"] = list(version.metrics)
        values = [{"type": name, "value": round(each.value, 6)} for name, each in version.metrics.items()]
        data = {"type": "private", "name": "held-out rows"}
        of = {"type": _TASKS.get(version.task, "other")}
        head["model-index"] = [{"name": version.name, "results": [{"task": of, "dataset": data, "metrics": values}]}]
    return head


def _body(version: ModelVersion, held_out: int, unstable: bool) -> Iterator[str]:
    made, day = version.made, time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(version.created))
    yield f"# {version.name}\n"
    yield f"{version.note}\n" if version.note else ""
    yield f"Saved by {version.owner} on {day}; {version.flavor}, {words.size(version.size)}.\n"
    yield "## What it is for, and where it fails\n\n_To be written by who knows: use, misuse, limits._\n"
    if version.metrics:
        yield "## How good it is\n"
        yield f"On {held_out:,} held-out rows, with the 95 % interval of a bootstrap of these rows:\n"
        yield "| metric | value | interval |\n| --- | --- | --- |"
        for name, each in version.metrics.items():
            span = "" if each.low is None or each.high is None else f"{each.low:.4g} to {each.high:.4g}"
            yield f"| {name} | {each.value:.4g} | {span} |"
        yield ""
    yield "## Where it comes from\n"
    facts = {
        "Notebook": f"{made.notebook} [{made.number}]" if made.number is not None else made.notebook,
        "Run": f"{made.run_name} ({made.run})" if made.run else "",
        "Cost of the run": cost_so_far(made.cost) if made.cost is not None else "",
        "Training rows": made.train and f"SHA-256 {made.train}",
        "Held-out rows": made.valid and f"SHA-256 {made.valid}",
        "Files": f"SHA-256 {version.digest}",
    }
    yield from (f"- {name}: {fact}" for name, fact in facts.items() if fact)
    yield "\n## What it takes and gives\n"
    yield from _signature(version.signature)
    if unstable:
        yield "\nAsked twice, it gave different answers to the same rows: its example is not checked when loaded."
    yield "\n## What it needs\n"
    yield f"Python {version.python}; {', '.join(f'{n} {v}' for n, v in version.packages.items()) or 'no packages'}."
    if version.runs_code:
        yield "\nLoading it runs code that is in its file (pickle): load it only where you trust who saved it."


def _signature(signature: Signature) -> Iterator[str]:
    if signature.kind == "table":
        for column in signature.columns[:_MOST]:
            yield f"- `{column.name}`: {column.dtype}{', may be missing' if column.optional else ''}"
        if len(signature.columns) > _MOST:
            yield f"- and {len(signature.columns) - _MOST} more columns"
    elif signature.kind == "array":
        yield f"- an array of {signature.dtype}, of which a row has the shape {tuple(signature.shape)}"
    if signature.answer:
        shape = f" of the shape {tuple(signature.answer_shape)}" if signature.answer_shape else ""
        yield f"- gives for each row: {signature.answer}{shape}"
    if signature.kind == "unknown":
        yield "Not known: no rows were given when it was saved."
