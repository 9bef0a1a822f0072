"""Where a run comes from, and what it is called when nobody gave it a name."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import Any

from ...core.run import Origin
from ..clusters.choose import NOTEBOOK

#: Characters of a name that is taken from code.
_MOST = 40

#: How lines begin that say nothing of what a cell is for.
_SILENT = ("import ", "from ", "%", "!", "@")


def name_of(code: str, origin: Origin) -> str:
    """A name for code that was given none.

    That is the comment that it begins with, which is a title; else the notebook and the number of its cell, by which
    one finds it again: "flights [12]"; else its first line that isn't an import. Empty where there is nothing of these.
    """
    lines = [line.strip() for line in code.splitlines() if line.strip()]
    title = lines[0].lstrip("#").strip() if lines and lines[0].startswith("#") else ""
    if title:
        return _short(title)
    if origin.notebook:
        stem = PurePath(origin.notebook).stem
        return _short(stem) if origin.number is None else f"{_short(stem)} [{origin.number}]"
    telling = [line for line in lines if not line.startswith(("#", *_SILENT))]
    return _short((telling or lines or [""])[0])


def origin_of_kernel() -> Origin:
    """The notebook and kernel that this process serves, and the cell that it runs now."""
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:  # not in a notebook
        return Origin(notebook=os.environ.get(NOTEBOOK, ""))
    shell: Any = get_ipython()
    app = getattr(shell, "kernel", None)
    if app is None:
        return Origin(notebook=os.environ.get(NOTEBOOK, ""))
    header = app.get_parent("shell") if hasattr(app, "get_parent") else {}
    connection = app.config.get("IPKernelApp", {}).get("connection_file", "")
    return Origin(
        notebook=_notebook_of(shell),
        cell=str((header.get("metadata") or {}).get("cellId", "")),
        kernel=Path(connection).stem.removeprefix("kernel-"),
        number=number_of_cell(shell),
    )


def number_of_cell(shell: Any) -> int:
    """The number of the cell that runs now. `execution_count` is the next one's already in some versions of IPython."""
    return len(shell.user_ns.get("In", ())) - 1


def _notebook_of(shell: Any) -> str:
    """Its path, as Jupyter's server tells a kernel's process, or VS Code the kernel's variables."""
    told = os.environ.get(NOTEBOOK) or shell.user_ns.get("__vsc_ipynb_file__") or ""
    return told if isinstance(told, str) else ""


def _short(text: str) -> str:
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"
