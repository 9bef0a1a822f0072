"""A cell or a function becomes work on a cluster.

This package is also the public function `mlops.runs()`: as a submodule it takes that name in `jupyter_mlops` whenever
any part of it is imported, so it can be called.
"""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .run import Run


class _Callable(types.ModuleType):
    def __call__(self, limit: int = 20) -> list[Run]:
        """The last runs on this machine's record, the last first."""
        from .api import runs

        return runs(limit)


sys.modules[__name__].__class__ = _Callable
