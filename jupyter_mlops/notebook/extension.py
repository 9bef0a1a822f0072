"""What `%load_ext jupyter_mlops` does: registers the magics and their completion. Imports nothing heavy."""

from __future__ import annotations

from typing import Any

from .completion import complete
from .magics import MlopsMagics


def load_ipython_extension(shell: Any) -> None:
    """Register `%%mlrun` and `%mlcluster`."""
    magics: Any = MlopsMagics  # it has no types in older versions of IPython
    shell.register_magics(magics(shell))
    for command in ("%%mlrun", "%mlcluster"):
        shell.set_hook("complete_command", complete, str_key=command)


def unload_ipython_extension(shell: Any) -> None:
    """Take them away again."""
    for kind, name in (("cell", "mlrun"), ("line", "mlcluster")):
        shell.magics_manager.magics[kind].pop(name, None)
