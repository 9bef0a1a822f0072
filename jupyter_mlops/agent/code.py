"""What all tasks of a run share: its function or variables, loaded from what the kernel sent."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any

from . import buffers, mainmodule, sources


class _Unpickler(pickle.Unpickler):
    """Puts the big variables, which came by their own way, into their places."""

    def __init__(self, data: Any, bigs: Sequence[Any]) -> None:
        super().__init__(io.BytesIO(data))
        self._bigs = bigs

    def persistent_load(self, pid: Any) -> Any:
        """The big variable number `pid`."""
        return self._bigs[pid]


class Code:
    """The code of a run in its runner.

    Parameters
    ----------
    head : what the kernel says of the run (`client/send/payload.py` writes it).
    files : its big variables, as open files; when `head` has no body, the last of them is the body.
    """

    def __init__(self, head: dict[str, Any], files: Sequence[int]) -> None:
        sources.FINDER.bring(head["modules"])
        for filename, text in head["sources"].items():
            sources.show(filename, text)
        for filename, label in head.get("labels", {}).items():
            sources.call(filename, label)
        self._files = list(files)
        self._body = head["body"] if head["body"] is not None else buffers.mapped(self._files.pop())
        self._shared = head["kind"] == "map"

    def load(self) -> Any:
        """The body anew: what one attempt changes, the next doesn't see."""
        bigs = [buffers.loaded(buffers.mapped(file)) for file in self._files]
        if self._shared:
            bigs = [_read_only(big) for big in bigs]
        loaded = _Unpickler(self._body, bigs).load()
        mainmodule.adopt_classes()
        return loaded


def _read_only(value: Any) -> Any:
    """An array that all items of a map share; what one item wrote into it, others would read or not, by chance."""
    if hasattr(value, "flags") and hasattr(value, "dtype") and not hasattr(value, "iloc"):
        value.flags.writeable = False
    return value
