"""What is told only to browsers that follow a cluster or a run, because it is much."""

from __future__ import annotations

from ..encode import array, encode
from .table import Table, Tail


class ClusterFeed:
    """Workers and events of a cluster that somebody follows. `ready` once both are whole."""

    def __init__(self) -> None:
        self.workers: Table[str] = Table()
        self.events = Tail()
        self.ready = False
        self.last_event = 0

    def changes(self, name: str, seq: int, whole: bool) -> list[str]:
        """The changes after `seq`, or all, as JSON texts."""
        return [*self._workers(name, seq, whole), *self._events(name, seq, whole)]

    def _workers(self, name: str, seq: int, whole: bool) -> list[str]:
        whole = whole or seq < self.workers.floor
        changed = self.workers.items() if whole else self.workers.since(seq)
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
        self.entries = Tail(5000)
        self.ready = False
        self.last_entry = 0

    def changes(self, run: str, seq: int, whole: bool) -> list[str]:
        """The changes after `seq`, or all, as JSON texts."""
        return _lines("journal", run, self.entries, seq, whole)


def _lines(noun: str, key: str, tail: Tail, seq: int, whole: bool) -> list[str]:
    whole = whole or seq < tail.floor
    lines = tail.since(0 if whole else seq)
    if not (lines or whole):
        return []
    return [f'{{"noun":"{noun}","id":{encode(key)},"value":{array(lines)},"whole":{encode(whole)}}}']
