"""`__main__` of a runner: the notebook's, as far as the run brought it along."""

from __future__ import annotations

import builtins
import getpass
import re
import sys
import types
from typing import Any

from cloudpickle import cloudpickle as pickling

#: Names that IPython sets itself: results and inputs of cells, and what nobody wants to have.
_IPYTHONS = re.compile(r"_{1,3}|_i{1,3}|_[iod]h|_i?\d+|__\w+__")


def is_own(name: str) -> bool:
    """Whether a notebook's `__main__` has that name of itself."""
    return bool(_IPYTHONS.fullmatch(name))


def make() -> types.ModuleType:
    """A `__main__` with nothing in it. What only a notebook has says so when it is called."""
    _input.__module__, _input.__qualname__ = "builtins", "input"  # what the notebook's own is called
    builtins.input = _input
    getpass.getpass = _input  # a notebook has its own, too
    sys.breakpointhook = _breakpoint
    module = types.ModuleType("__main__")
    module.__dict__.update(__builtins__=builtins, __annotations__={}, get_ipython=NO_NOTEBOOK)
    sys.modules["__main__"] = module
    return module


def _input(prompt: object = "", stream: object = None) -> str:
    raise EOFError("nobody can type an answer on a worker: ask in a cell of the notebook, and use its answer here")


def _breakpoint(*args: Any, **kwargs: Any) -> None:
    raise EOFError("nobody can type to a debugger on a worker: run the code in a cell without %%mlrun")


class _NoNotebook:
    """`get_ipython` of the notebook's code. Libraries find none: by that name they tell where they are."""

    def __call__(self) -> Any:
        raise NameError("get_ipython() is the notebook's own: what needs it has to run in a cell without %%mlrun")

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (builtins, "get_ipython")


NO_NOTEBOOK = _NoNotebook()


def stand_in(name: str) -> Any:
    """What there is here of a function that every notebook has."""
    return NO_NOTEBOOK if name == "get_ipython" else getattr(builtins, name)


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
