"""Removes the files of large variables that nobody needs any more."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from distributed import SchedulerPlugin

from ...home import variables
from ...home.clusters import ClusterFolder

_log = logging.getLogger(__name__)


class VariableFiles(SchedulerPlugin):
    """Hears which keys Dask lets go. Where a variable travelled as bytes, it has no file, and nothing happens.

    Parameters
    ----------
    folder : the cluster's.
    """

    def __init__(self, folder: ClusterFolder) -> None:
        self._folder = folder

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        """A key changed its state."""
        if finish in ("released", "forgotten") and isinstance(key, str) and key.startswith(variables.PREFIX):
            asyncio.get_running_loop().run_in_executor(None, self._remove, key)

    def _remove(self, key: str) -> None:
        try:
            variables.remove(self._folder, key)
        except OSError as error:
            _log.warning("The variable %s stays on the disk until the cluster ends: %s", key, error)
