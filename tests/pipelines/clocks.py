"""The processes that run notebooks by themselves, as tests see them."""

from __future__ import annotations

from pathlib import Path

import psutil

from ..runs.cluster import until


def clocks(home: Path) -> list[int]:
    """Those that serve a home folder."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = "jupyter_mlops.pipelines.clock" in process.cmdline()
            if ours and process.environ().get("JUPYTER_MLOPS_HOME") == str(home):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def until_no_clock_is_left(home: Path) -> None:
    """Wait until they have seen that nothing is scheduled any more."""
    until(lambda: not clocks(home))
