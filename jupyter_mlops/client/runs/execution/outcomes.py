"""Makes values and errors of what comes back from the workers."""

from __future__ import annotations

import importlib.util
import os.path
import re
import sys
from collections.abc import Collection, Sequence
from typing import Any

from ....core.errors import RunCancelled, RunError, RunFailed, RunLost, RunOverBudget, RunTimeout
from ....core.run import ItemError, RunState
from ....core.words import listed
from .arrived import arrived
from .exceptions import exception_of

_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")

#: Python's own error, and pandas' for the texts of `query` and `eval`.
_NO_NAME = re.compile(
    r"(?:NameError|UndefinedVariableError): (?:local variable|name) '(\w+)' is not defined"
    r"|AttributeError: module '__main__' has no attribute '(\w+)'"
)


class FailedItem(RunFailed):
    """Stands in a map's results in the place of an item that raised. `__cause__` is what it raised."""

    def __init__(self, index: int, item: str, error: str) -> None:
        super().__init__(f"Item {index} ({item}) raised {error}")
        self.index, self.item, self.error = index, item, error

    def __reduce__(self) -> tuple[type[FailedItem], tuple[int, str, str]]:
        """Pickles by what it was made of."""
        return FailedItem, (self.index, self.item, self.error)

    def __repr__(self) -> str:
        return f"<item {self.index} ({self.item}) raised {self.error}>"


def todo(record: dict[str, Any], sent: Collection[str] = ()) -> str:
    """What to do about an error of the user's code, where the author can't know that from the error. `sent` are the
    variables that went along."""
    error = record["error"]
    missed = record.get("missed")
    if missed and any(map(os.path.exists, missed.get("files", [missed["file"]]))):
        return (
            f"The code ran in {missed['ran_in']}: the notebook's folder, {missed['folder']}, isn't there. Name a place "
            "that workers reach, too, such as a volume or a URL; or read the file here, and use the variable in the "
            "code."
        )
    lacks = _NO_NAME.match(error)
    name = (lacks[1] or lacks[2]) if lacks else ""
    if name and name not in sent and name in vars(sys.modules["__main__"]):
        return (
            f"This notebook has {name!r}. It stayed here, since the code names it in a text only, or not at all: "
            f"a line of the code that says just {name} sends it."
        )
    found = _NO_MODULE.match(error)
    package = found.group(1).partition(".")[0] if found else ""
    if not package or importlib.util.find_spec(package) is None:
        return ""
    return f"This kernel has {package}: bring it to the workers with --sync (sync=True)."


def changed(names: Sequence[str]) -> str:
    """That the code changed these variables in place, as the beginning of a sentence."""
    return f"{listed([repr(name) for name in names])} changed"


def failed_item(record: dict[str, Any]) -> FailedItem:
    """What stands for a failed item."""
    failed = FailedItem(record["index"], record["item"], record["error"])
    failed.__cause__ = exception_of(record)
    return failed


def item_error(record: dict[str, Any]) -> ItemError:
    """The same for the run's state."""
    return ItemError(
        index=record["index"], item=record["item"], error=record["error"], traceback=record.get("traceback", "")
    )


def values_of(outcome: dict[str, Any]) -> list[Any]:
    """The results of a batch, failed items in their places."""
    pieces = outcome.get("pieces") or [outcome["values"]]
    values = [value for piece in pieces if piece for value in arrived(piece)]
    values += [None] * (outcome["n"] - len(values))
    for record in outcome["errors"]:
        values[record["index"] - outcome["start"]] = failed_item(record)
    return values


def error_of_state(state: RunState) -> RunError:
    """The error of a run that ended otherwise than done, from what its state says."""
    kind, _, sentence = state.error.partition(": ")
    known: dict[str, type[RunError]] = {
        "RunCancelled": RunCancelled,
        "RunTimeout": RunTimeout,
        "RunOverBudget": RunOverBudget,
        "RunLost": RunLost,
    }
    by_phase: dict[str, type[RunError]] = {"cancelled": RunCancelled, "lost": RunLost}
    cls = known.get(kind) or by_phase.get(state.phase, RunFailed)
    why = (sentence if kind in known else state.error).rstrip(".")
    words = {
        RunCancelled: "was cancelled",
        RunTimeout: "ran out of time",
        RunOverBudget: "has used up its budget",
        RunLost: "is lost",
        RunFailed: "failed",
    }
    return cls(f"The run {state.name!r} {words[cls]}", why, _TODO.get(cls, ""))


_TODO: dict[type[RunError], str] = {
    RunLost: "Run it again on a live cluster.",
    RunTimeout: "Give it a longer --timeout, more workers, or less to do.",
    RunOverBudget: "Give it a larger --budget, or less to do.",
}
