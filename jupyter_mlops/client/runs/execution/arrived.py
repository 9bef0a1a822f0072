"""Makes objects of what a run gave. The notebook's classes stay as they are, and its functions see its variables.

cloudpickle would set each class that comes back anew, with methods that see the variables as they were on the worker.
"""

from __future__ import annotations

import io
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any

from cloudpickle import cloudpickle as pickling

from ....core.errors import RunFailed


def arrived(data: bytes, kept: bool = False) -> Any:
    """The object in these bytes, which the user's own run gave.

    Parameters
    ----------
    kept : whether it was given to another kernel, whose classes were those of this one: objects come back as objects of
        the classes of these names that are here.

    Raises
    ------
    RunFailed : it can't be had here; the cause is chained.
    """
    try:
        return _Arrival(io.BytesIO(data), kept).load()
    except Exception as error:  # noqa: BLE001 - a user's class may raise anything, or isn't here
        frames = error.__traceback__.tb_next if error.__traceback__ is not None else None
        raise RunFailed(
            "What the run gave can't be loaded in the notebook",
            f"{type(error).__name__}: {error}".rstrip(": "),
            "--out names what comes back, and a semicolon after the last line leaves out its value.",
        ) from error.with_traceback(frames)


class _Arrival(pickle.Unpickler):
    """As pickle's, with its own ways to make classes and functions of a notebook."""

    def __init__(self, file: io.BytesIO, kept: bool) -> None:
        super().__init__(file)
        self._kept = kept
        self._known: set[type] = set()
        self._ours: dict[str, Callable[..., Any]] = {
            "_make_skeleton_class": self._made(pickling._make_skeleton_class, 4),  # noqa: SLF001 - they go by these names
            "_make_skeleton_enum": self._made(pickling._make_skeleton_enum, 5),  # noqa: SLF001 - as above
            "_class_setstate": self._set_class,
            "_make_function": _function,
            "_function_setstate": _set_function,
        }

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle means by a name."""
        if module == pickling.__name__ and name in self._ours:
            return self._ours[name]
        return super().find_class(module, name)

    def _made(self, make: Callable[..., type], place: int) -> Callable[..., type]:
        """As `make`, whose argument at `place` says which class it is: one that is here already needs no state."""

        def made(*args: Any) -> type:
            tracked = pickling._DYNAMIC_CLASS_TRACKER_BY_ID  # noqa: SLF001 - it says so nowhere else
            if self._kept and (mine := _class_here(args[1])) is not None:
                tracked.setdefault(args[place], mine)
            known = tracked.get(args[place])
            found = make(*args)
            if found is known:
                self._known.add(found)
            return found

        return made

    def _set_class(self, kind: type, state: Any) -> type:
        if kind not in self._known:
            pickling._class_setstate(kind, state)  # noqa: SLF001 - as above
        return kind


def _class_here(name: str) -> type | None:
    """The notebook's class of that name; None where it has none."""
    found = vars(sys.modules["__main__"]).get(name)
    return found if isinstance(found, type) and found.__module__ == "__main__" else None


def _function(code: types.CodeType, space: dict[str, Any], *rest: Any) -> types.FunctionType:
    here = vars(sys.modules["__main__"])
    return types.FunctionType(code, here if space.get("__name__") == "__main__" else space, *rest)


def _set_function(function: types.FunctionType, state: Any) -> types.FunctionType:
    """What it brings along stands back behind the notebook's own variables."""
    here, (_, slots) = vars(sys.modules["__main__"]), state
    if function.__globals__ is here:
        brought, slots["__globals__"] = slots["__globals__"], {}
        for name, value in brought.items():
            here.setdefault(name, value)
    pickling._function_setstate(function, state)  # noqa: SLF001 - as above
    return function
