"""Notebooks as the server knows them: their paths below its root, and their kernels."""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Any

from ...core.errors import InvalidInput


class Root:
    """The folder that a server shows.

    Parameters
    ----------
    path : as Jupyter's server says it; empty where it shows none on this machine's disk.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path).expanduser().resolve() if path else None

    def file(self, path: str) -> Path:
        """The file that a path from the root on means.

        Raises
        ------
        InvalidInput : it leads elsewhere.
        """
        try:
            found = None if self._path is None else (self._path / path.lstrip("/")).resolve()
        except (OSError, ValueError, RuntimeError):  # a zero byte; links in a circle
            found = None
        if found is None or self._path is None or not found.is_relative_to(self._path):
            why = "it isn't in the folder that this server shows, or leads out of it"
            todo = "See: jupyter mlops pipeline schedule"
            raise InvalidInput(f"{path!r:.200} can't run by itself from here", why, todo)
        return found

    def below(self, file: str) -> str:
        """The path of a file from the root on; empty where it lies elsewhere."""
        found = Path(file)
        if self._path is None or not found.is_relative_to(self._path):
            return ""
        return found.relative_to(self._path).as_posix()


def program_of(notebook: Path, kernels: Any) -> str:
    """The Python of the kernel that a notebook names: it has the packages that the notebook uses. Empty where it names
    none, or one that isn't a Python of this machine.

    Parameters
    ----------
    kernels : the server's `KernelSpecManager`.
    """
    if kernels is None or inspect.iscoroutinefunction(kernels.get_kernel_spec):  # they are on another machine
        return ""
    try:
        name = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]["kernelspec"]["name"]
        program = str(kernels.get_kernel_spec(name).argv[0])
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    is_python = os.path.isabs(program) and os.path.basename(program).startswith("python")  # noqa: PTH117, PTH119
    return program if is_python and os.access(program, os.X_OK) else ""
