"""The journal of a run: from its cluster while that lives, else from the disk."""

from __future__ import annotations

from ...core.errors import MlopsError
from ...core.run import Entry, RunState
from ...home.runs import run_folder
from ..clusters.kernel import kernel, loop_thread


def entries_of(record: RunState) -> list[Entry]:
    """All entries of a run's journal: those on disk, and those that the cluster has beyond them."""
    entries = run_folder(record.id).journal()
    try:
        recent = loop_thread().call(_on_cluster(record))
    except MlopsError:  # the cluster has ended, or never knew the run
        return entries
    last = entries[-1].seq if entries else 0
    return entries + [entry for entry in recent if entry.seq > last]


async def _on_cluster(record: RunState) -> list[Entry]:
    opened = await kernel().sessions.open(record.ran_on, timeout=5.0)
    return (await opened.link.watch_run(record.id, 0, timeout=0)).entries
