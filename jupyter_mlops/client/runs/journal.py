"""The journal of a run: from its cluster while that lives, else from the disk."""

from __future__ import annotations

from pydantic import ValidationError

from ...core.errors import MlopsError
from ...core.run import Entry, RunState
from ..clusters.kernel import kernel, loop_thread
from .record import folder_of


def entries_of(record: RunState) -> list[Entry]:
    """All entries of a run's journal: those on disk, and those that the cluster has beyond them."""
    entries = on_disk(record.id)
    try:
        recent = loop_thread().call(_on_cluster(record))
    except MlopsError:  # the cluster has ended, or never knew the run
        return entries
    last = entries[-1].seq if entries else 0
    return entries + [entry for entry in recent if entry.seq > last]


def on_disk(run: str) -> list[Entry]:
    """The entries in the run's folder, each once: several processes may have copied them there."""
    try:
        text = (folder_of(run) / "journal.jsonl").read_text(encoding="utf-8")
    except OSError:
        return []
    entries = {}
    for line in text.splitlines():
        try:
            entry = Entry.model_validate_json(line)
        except ValidationError:  # a line that is just being written
            continue
        entries[entry.seq] = entry
    return [entries[seq] for seq in sorted(entries)]


async def _on_cluster(record: RunState) -> list[Entry]:
    opened = await kernel().sessions.open(record.cluster, timeout=5.0)
    return (await opened.link.watch_run(record.id, 0, timeout=0)).entries
