"""What is told only to browsers that follow a cluster or a run, because it is much."""

from __future__ import annotations

from ...core.changes import ChangeLog, ChangeTable
from ..encode import array, encode


class ClusterFeed:
    """Workers and events of a cluster that somebody follows. `ready` once both are whole."""

    def __init__(self) -> None:
        self.workers: ChangeTable[str, str] = ChangeTable()
        self.events: ChangeLog[str] = ChangeLog(2000)
        self.ready = False
        self.last_event = 0

    def changes(self, name: str, seq: int, whole: bool) -> list[str]:
        """The changes after `seq`, or all, as JSON texts."""
        return [*self._workers(name, seq, whole), *self._events(name, seq, whole)]

    def _workers(self, name: str, seq: int, whole: bool) -> list[str]:
        whole = whole or seq < self.workers.floor
        changed = self.workers.items() if whole else self.workers.after(seq)
        there, gone = [], []
        for worker, text in changed:
            gone.append(worker) if text is None else there.append(text)
        if not (there or gone or whole):
            return []
        return [
            f'{{"noun":"workers","id":{encode(name)},"value":{array(there)},"gone":{encode(gone)},"whole":{encode(whole)}}}'
        ]

    def _events(self, name: str, seq: int, whole: bool) -> list[str]:
        return _lines("events", name, self.events, seq, whole)


class RunFeed:
    """The journal of a run that somebody follows."""

    def __init__(self) -> None:
        self.entries: ChangeLog[str] = ChangeLog(5000)
        self.ready = False
        self.last_entry = 0

    def changes(self, run: str, seq: int, whole: bool) -> list[str]:
        """The changes after `seq`, or all, as JSON texts."""
        return _lines("journal", run, self.entries, seq, whole)


def _lines(noun: str, key: str, log: ChangeLog[str], seq: int, whole: bool) -> list[str]:
    whole = whole or seq < log.floor
    lines = list(log) if whole else log.after(seq)
    if not (lines or whole):
        return []
    return [f'{{"noun":"{noun}","id":{encode(key)},"value":{array(lines)},"whole":{encode(whole)}}}']
