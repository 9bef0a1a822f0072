"""Waits for modules to be imported, to change them then and not before: most code imports none of them."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable
from typing import Any


def when_imported(name: str, then: Callable[[], None]) -> None:
    """Call `then` once the module `name` is there: now, or when it is imported."""
    if name in sys.modules:
        then()
    else:
        sys.meta_path.insert(0, _WhenImported(name, then))


class _WhenImported(importlib.abc.MetaPathFinder):
    """Calls `then` when a module has been imported, once."""

    def __init__(self, name: str, then: Callable[[], None]) -> None:
        self._name, self._then = name, then

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """The module's own spec, with a loader that calls `then` in the end."""
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            run, loader = spec.loader.exec_module, spec.loader

            def exec_module(module: types.ModuleType) -> None:
                run(module)
                self._then()

            loader.exec_module = exec_module  # type: ignore[method-assign]  # of this one loader, for this one module
        return spec
