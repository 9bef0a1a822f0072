"""Which of its variables a run's code has changed in place. They are copies: the notebook's own don't show it."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Mapping
from typing import Any

import cloudpickle

from . import mainmodule
from .buffers import same
from .code import Code

#: What has no state of its own that a notebook would miss.
_STATELESS = (types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type)


def changed(code: Code, given: Mapping[str, Any], now: Mapping[str, Any], most: int) -> list[str]:
    """The names in `given` whose object is still there `now`, but is not any more as it came.

    Where that can't be told, since the variables are too large, or can't be loaded or pickled twice in the same way,
    the code is believed that says so by its own words.

    Parameters
    ----------
    code : loads the variables anew, to compare with.
    given : what was loaded before the code ran.
    most : bytes of pickle, arrays aside, up to which variables are compared: they are loaded and pickled once more.
    """
    names = [name for name, value in given.items() if now.get(name) is value and _may_change(value)]
    surely = code.changes
    if not names:
        return []
    if code.size > most:
        return [name for name in names if name in surely]
    try:
        fresh = code.variables()
        differ = [name for name in names if not _alike(fresh[name], given[name])]
        again = code.variables() if differ else {}
    except Exception:  # noqa: BLE001 - a user's class may refuse to be made a second time
        return [name for name in names if name in surely]
    return [name for name in differ if name in surely or _alike(fresh[name], again[name])]


class Attributes:
    """What classes and functions of the notebook hold themselves: that never comes back.

    Parameters
    ----------
    given : what was loaded, before the code runs.
    around : whether what is around functions is looked at: it is pickled for that, however large it is.
    """

    def __init__(self, given: Mapping[str, Any], around: bool) -> None:
        self._around = around
        classes = {kind.__qualname__: kind for kind in mainmodule.classes()}
        functions = {name: value for name, value in given.items() if isinstance(value, types.FunctionType)}
        self._held = [(name, each, _data_of(each, around)) for name, each in (classes | functions).items()]

    def changed(self) -> list[str]:
        """The names of those that hold something else now."""
        return [name for name, each, before in self._held if _data_of(each, self._around) != before]


def _data_of(holder: Any, around: bool) -> dict[str, Any]:
    """The attributes that are data, as far as they can be compared: as a pickle, else as what it is; of a function what
    it has of plain data around it, and as its arguments' defaults."""
    found: dict[str, Any] = {}
    for name, value in {**vars(holder), **(_around(holder) if around else {})}.items():
        if not name.startswith("__") and not callable(value) and not hasattr(type(value), "__get__"):
            try:
                found[name] = cloudpickle.dumps(value, protocol=5)
            except Exception:  # noqa: BLE001 - a user's object may raise anything
                found[name] = id(value)
    return found


def _around(holder: Any) -> dict[str, Any]:
    """The plain data in the closure and the defaults of a function."""
    if not isinstance(holder, types.FunctionType):
        return {}
    found: dict[str, Any] = {f"default {number}": value for number, value in enumerate(holder.__defaults__ or ())}
    found |= {f"default of {name}": value for name, value in (holder.__kwdefaults__ or {}).items()}
    for name, cell in zip(holder.__code__.co_freevars, holder.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # nothing was put into it yet
            found[f"closure's {name}"] = cell.cell_contents
    return {name: value for name, value in found.items() if type(value).__module__ in ("builtins", "collections")}


def _may_change(value: Any) -> bool:
    read_only = getattr(getattr(value, "flags", None), "writeable", True) is False
    return not read_only and not isinstance(value, _STATELESS)


def _alike(one: Any, other: Any) -> bool:
    try:
        first, second = _pickled(one), _pickled(other)
    except Exception:  # noqa: BLE001 - a user's object may raise anything: it came, and can't be pickled any more
        return False
    return len(first) == len(second) and all(map(same, first, second))


def _pickled(value: Any) -> list[Any]:
    """The pickle and the buffers beside it."""
    parts: list[Any] = []
    data = cloudpickle.dumps(value, protocol=5, buffer_callback=lambda buffer: parts.append(buffer.raw()))
    return [data, *parts]
