"""`__main__` of a runner: the notebook's, as far as the run brought it along."""

from __future__ import annotations

import builtins
import sys
import types
from typing import Any

from cloudpickle import cloudpickle as pickling


def make() -> types.ModuleType:
    """A `__main__` with nothing in it. What only a notebook has says so when it is called."""
    for name, refusal in (("input", _input), ("get_ipython", _get_ipython)):
        refusal.__module__, refusal.__qualname__ = "builtins", name  # what the notebook's own is called
        setattr(builtins, name, refusal)
    module = types.ModuleType("__main__")
    module.__dict__.update(__builtins__=builtins, __annotations__={})
    sys.modules["__main__"] = module
    return module


def _input(prompt: object = "") -> str:
    raise EOFError("nobody can type an answer on a worker: ask in a cell of the notebook, and use its answer here")


def _get_ipython() -> Any:
    raise NameError("get_ipython() is the notebook's own: what needs it has to run in a cell without %%mlrun")


def adopt_classes() -> None:
    """Let classes that the notebook defines be found by their names, as `pickle` looks for them: cloudpickle makes them
    without telling `__main__`."""
    space = vars(sys.modules["__main__"])
    for kind in classes():
        if "." not in kind.__qualname__:
            space.setdefault(kind.__qualname__, kind)


def classes() -> list[type]:
    """The classes of the notebook that are here."""
    made: list[type] = list(pickling._DYNAMIC_CLASS_TRACKER_BY_CLASS)  # noqa: SLF001 - it says so nowhere else
    return [kind for kind in made if kind.__module__ == "__main__"]


def adopt_globals(function: Any) -> None:
    """The same for a function of the notebook, and what it uses of the notebook."""
    if isinstance(function, types.FunctionType) and function.__module__ == "__main__":
        space = vars(sys.modules["__main__"])
        for name, value in {**function.__globals__, function.__name__: function}.items():
            space.setdefault(name, value)
