"""What all tasks of a run share: its function or variables, loaded from what the kernel sent."""

from __future__ import annotations

import io
import pickle
from typing import Any

from . import sources


class _Unpickler(pickle.Unpickler):
    """Puts the big variables, which came by their own way, into their places."""

    def __init__(self, data: bytes, bigs: list[Any]) -> None:
        super().__init__(io.BytesIO(data))
        self._bigs = bigs

    def persistent_load(self, pid: Any) -> Any:
        """The big variable number `pid`."""
        return self._bigs[pid]


class Code:
    """The code of a run in this process.

    Parameters
    ----------
    head : what the kernel says of the run (`client/send/payload.py` writes it).
    bigs : its big variables; when `head` has no body, the last of them is the body.
    """

    def __init__(self, head: dict[str, Any], bigs: tuple[Any, ...]) -> None:
        sources.FINDER.bring(head["modules"])
        for filename, text in head["sources"].items():
            sources.show(filename, text)
        for filename, label in head.get("labels", {}).items():
            sources.call(filename, label)
        values = list(bigs)
        self._body: bytes = head["body"] if head["body"] is not None else values.pop()
        shared = head["kind"] == "map"
        self._bigs = [_own(_loaded(value), shared) for value in values]
        self._function = self.load() if shared else None

    def load(self) -> Any:
        """The body anew: what one attempt changes, the next doesn't see."""
        return _Unpickler(self._body, self._bigs).load()

    @property
    def function(self) -> Any:
        """The function of a map, the same for all items in this process."""
        return self._function


def _loaded(value: Any) -> Any:
    """Big variables of a run that is run again come as pickled bytes."""
    return pickle.loads(value[1]) if isinstance(value, tuple) and value[0] == "pickled" else value  # noqa: S301 - the user's own


def _own(value: Any, shared: bool) -> Any:
    """`value`, so that changing it in place can't reach what Dask keeps for other runs: a copy; an array that all items
    of a map share becomes read-only instead."""
    if hasattr(value, "flags") and hasattr(value, "view") and hasattr(value, "dtype") and not hasattr(value, "iloc"):
        if not shared:
            return value.copy()
        view = value.view()
        view.flags.writeable = False
        return view
    if hasattr(value, "iloc"):
        import pandas

        return value.copy(deep=int(pandas.__version__.split(".")[0]) < 3)  # from 3 on, copies are made on writing
    return value
