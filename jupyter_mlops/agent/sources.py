"""Modules that lie beside the notebook, and the text of cells: sent along, so that imports and tracebacks find them."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import linecache
import sys
import threading
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

#: Name of a module → its file, its text, and whether it is a package.
Modules = dict[str, tuple[str, str, bool]]


class SourceFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the modules that runs brought along, before any that the worker finds on its disk."""

    def __init__(self) -> None:
        self._modules: Modules = {}
        self._lock = threading.Lock()

    def bring(self, modules: Modules) -> None:
        """Make `modules` importable. When one of them has changed, all that were brought are imported anew."""
        with self._lock:
            if all(self._modules.get(name) == module for name, module in modules.items()):
                return
            for name in {*self._modules, *modules}:
                sys.modules.pop(name, None)
            self._modules.update(modules)
            for path, text, _ in modules.values():
                show(path, text)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module that was brought."""
        found = self._modules.get(fullname)
        if found is None:
            return None
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=found[0], is_package=found[2])
        spec.has_location = True
        return spec

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's text."""
        path, text, _ = self._modules[module.__name__]
        exec(compile(text, path, "exec"), module.__dict__)  # noqa: S102 - importing is running

    def get_source(self, name: str) -> str | None:
        """The module's text, for `inspect`."""
        found = self._modules.get(name)
        return found[1] if found else None


def show(filename: str, text: str) -> None:
    """Let tracebacks show the lines of `text`."""
    lines: Any = (len(text), None, text.splitlines(keepends=True), filename)
    linecache.cache[filename] = lines


#: File name → what people call it.
_LABELS: dict[str, str] = {}


def call(filename: str, label: str) -> None:
    """Let tracebacks as text say `label` instead of the name of a file that nobody knows."""
    _LABELS[filename] = label


def labelled(traceback: str, labels: Mapping[str, str] = _LABELS) -> str:
    """A traceback as text, with cells called as in the notebook."""
    for filename, label in labels.items():
        if filename in traceback:
            traceback = traceback.replace(f'File "{filename}", line', f"{label}, line")
    return traceback


FINDER = SourceFinder()


def install() -> None:
    """Put the finder first; one of an earlier installation is replaced."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != __name__]
    sys.meta_path.insert(0, FINDER)
