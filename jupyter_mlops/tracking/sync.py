"""Brings all records that are not in MLflow there, and ends: `python -m jupyter_mlops.tracking.sync`.

The server starts it when it finds such records, for example those of detached runs, whose kernel is gone.
"""

from __future__ import annotations

import sys

from ..core.errors import UnknownRun
from . import history, pending
from .store import MlflowStore, tracking_uri


def sync() -> int:
    """Bring them; how many there were. Raises what MLflow raises."""
    runs = pending.unsynced()
    store = MlflowStore(tracking_uri())
    for run in runs:
        try:
            state = history.get(run)
        except UnknownRun:  # removed meanwhile, or a record that can't be read
            continue
        store.sync(state)
    return len(runs)


def main() -> int:
    """As a program: the exit code, with one line on stderr when it failed."""
    try:
        sync()
    except Exception as error:  # noqa: BLE001  # MLflow, its database and its network each raise their own
        sys.stderr.write(f"{type(error).__name__}: {error}\n".replace("\n", " ") + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
