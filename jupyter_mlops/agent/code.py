"""What all tasks of a run share: its function or variables, loaded from what the kernel sent."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import types
from collections.abc import Mapping, Sequence
from typing import Any

from cloudpickle import cloudpickle as pickling

from . import buffers, mainmodule, sources
from .streams import Streams

#: Among the variables of a cell: modules that are to be imported before it runs.
MODULES = "@modules"

#: Marks the namespace that is the notebook's own: others are called `__main__`, too, such as those of functions that
#: were unpickled in it.
NOTEBOOKS = "__notebook__"

#: What cloudpickle makes functions by.
_make_function = pickling._make_function  # noqa: SLF001 - it says so nowhere else


class _Unpickler(pickle.Unpickler):
    """Puts what came by its own way into its place: big variables, and random generators."""

    def __init__(self, data: Any, bigs: Sequence[Any], streams: Streams, space: dict[str, Any] | None) -> None:
        super().__init__(io.BytesIO(data))
        self._bigs, self._streams, self._space = bigs, streams, space

    def find_class(self, module: str, name: str) -> Any:
        """As of any unpickler. Functions of the notebook, which cloudpickle makes, have the namespace that they share
        with the cell, as they have in the notebook."""
        found = super().find_class(module, name)
        if self._space is None or found is not _make_function:
            return found

        def made(code: Any, space: dict[str, Any], *others: Any) -> Any:
            return _make_function(code, self._space if NOTEBOOKS in space else space, *others)

        return made

    def persistent_load(self, pid: Any) -> Any:
        """The big variable number `pid`, or the generator or the function of notebooks that it says."""
        if isinstance(pid, str):
            return mainmodule.stand_in(pid)
        return self._streams[pid[1]] if isinstance(pid, tuple) else self._bigs[pid]


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
        self._shared, self._is_cell = head["kind"] == "map", head["kind"] == "cell"
        #: The names of variables that the code changes in place by its own words.
        self.changes: list[str] = head.get("changes", [])
        self._generators: bytes = head.get("generators", b"")

    @property
    def size(self) -> int:
        """Bytes of the pickles of all its variables, without the arrays in them."""
        bigs = (buffers.mapped(file) for file in self._files)
        return len(self._body) + sum(buffers.size_of_pickle(big) for big in bigs)

    @property
    def weight(self) -> int:
        """Bytes of all of it."""
        return len(self._body) + sum(os.fstat(file).st_size for file in self._files)

    def load(self, space: dict[str, Any] | None = None) -> tuple[Any, Streams]:
        """The body anew, with its random generators: what one attempt changes, the next doesn't see.

        Parameters
        ----------
        space : the namespace of the notebook's functions, which gets what they use; None: they have one for themselves.
        """
        bigs = [buffers.loaded(buffers.mapped(file)) for file in self._files]
        if self._shared:
            bigs = [_read_only(big) for big in bigs]
        streams = Streams(pickle.loads(self._generators) if self._generators else [])  # noqa: S301 - the user's own
        streams.begin(0)
        loaded = _Unpickler(self._body, bigs, streams, space).load()
        if isinstance(loaded, dict):
            loaded.pop(MODULES, None)
        mainmodule.adopt_classes()
        return loaded, streams

    def variables(self) -> Mapping[str, Any]:
        """The variables in a body that is loaded anew; of a cell with those that its functions use."""
        space: dict[str, Any] = {}
        body, _ = self.load(space if self._is_cell else None)
        return {**space, **variables_of(body)}


def variables_of(body: Any) -> Mapping[str, Any]:
    """The variables of a cell, or those around a function, by name."""
    if not isinstance(body, types.FunctionType):
        return body if isinstance(body, dict) else {}
    found = {name: value for name, value in body.__globals__.items() if not name.startswith("__")}
    for name, cell in zip(body.__code__.co_freevars, body.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # nothing was put into it yet
            found[name] = cell.cell_contents
    return found


def _read_only(value: Any) -> Any:
    """An array that all items of a map share; what one item wrote into it, others would read or not, by chance."""
    if hasattr(value, "flags") and hasattr(value, "dtype") and not hasattr(value, "iloc"):
        value.flags.writeable = False
    return value
