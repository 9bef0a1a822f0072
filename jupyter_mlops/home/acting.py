"""Who acts in this process, and by which door."""

from __future__ import annotations

import sys
from typing import Any

from ..core.trail import Actor, Door
from .owner import me


def here() -> Actor:
    """Who acts in this process."""
    if runner_here() is not None:
        return Actor(name=me(), how="run")
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    how: Door = "notebook" if getattr(shell, "kernel", None) is not None else getattr(shell, "door", "other")
    return Actor(name=me(), how=how)


def runner_here() -> Any:
    """The runner whose process this is; None in any other."""
    return getattr(sys.modules.get("jupyter_mlops_agent.runner"), "RUNNER", None)
