"""Where a detached run's results go besides the worker's memory: a folder that outlives the cluster; and, when they are
small, the scheduler, which may keep them longer than the workers live."""

from __future__ import annotations

import contextlib
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

from .failures import short
from .reports import Reporter
from .seals import BrokenSeal, opened, plain, seal

Outcome = dict[str, Any]

#: Runs of which it is remembered how much was sent.
REMEMBERED = 100


def persist(outcome: Outcome, head: dict[str, Any], index: int, reporter: Reporter) -> Outcome:
    """Write the outcome into the folder of the run with this `head`, sealed. Returns what is to be known of it then:
    all of it where it can't be written, and so stays in memory."""
    folder = Path(head["folder"])
    temporary = folder / f".{index}.{os.getpid()}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            target.write(_sealed(outcome, head))
        temporary.replace(folder / f"{index}.pkl")
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        text = f"The result couldn't be written ({short(error)}); it stays in the cluster's memory.\n"
        reporter.print("stderr", text)
        return outcome
    return {"written": True, "n": outcome.get("n", 1), "errors": outcome.get("errors", [])}


def written(head: dict[str, Any], index: int) -> Outcome | None:
    """What is known of a task whose outcome was written, before its worker died: it isn't run a second time."""
    try:
        data = (Path(head["folder"]) / f"{index}.pkl").read_bytes()
        key = head.get("seal", b"")
        outcome = plain(opened(data, key, head["run"]) if key else data)
    except (OSError, BrokenSeal, pickle.UnpicklingError):
        return None
    return {"written": True, "n": outcome.get("n", 1), "errors": outcome.get("errors", [])}


def _sealed(outcome: Outcome, head: dict[str, Any]) -> bytes:
    return seal(pickle.dumps(outcome, protocol=5), head.get("seal", b""), head["run"])


class SmallResults:
    """Sends the scheduler what tasks gave, as long as it is small."""

    def __init__(self) -> None:
        self._sent: OrderedDict[str, int] = OrderedDict()

    def send(self, reporter: Reporter, head: dict[str, Any], index: int, outcome: Outcome) -> None:
        """Send `outcome`, sealed, unless this run's results on this worker are more than a few bytes by now; how many
        its `head` says."""
        run, most = head["run"], head["small"]
        sent = self._sent.get(run, 0)
        if sent > most:
            return
        data = _sealed(outcome, head)
        self._sent[run] = sent + len(data)
        while len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)
        if sent + len(data) <= most:
            reporter.send("result", index=index, data=data)
