"""What the files of notebook cells are called in tracebacks, and their text."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

#: Characters of all texts together that travel with a run.
MOST = 50_000


def labels(filenames: Iterable[str]) -> dict[str, str]:
    """Those of `filenames` that are cells of this notebook, with what IPython calls them: "Cell In[3]"."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    compiler = getattr(shell, "compile", None)
    if compiler is None:
        return {}
    found = {name: compiler.format_code_name(name) for name in filenames}
    return {name: " ".join(label) for name, label in found.items() if label is not None}


def texts(filenames: Iterable[str]) -> dict[str, str]:
    """The text of those of `filenames` that are no files, so that a worker's traceback shows its lines."""
    found, room = {}, MOST
    for name in sorted(filenames):
        text = "" if not name or Path(name).exists() else "".join(linecache.getlines(name))
        if text and len(text) <= room:
            found[name] = text
            room -= len(text)
    return found
