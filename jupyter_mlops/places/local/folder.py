"""A cluster's folder: the names of what is in it, and how it is read."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ...core import base
from ...core.cluster import ClusterSpec, Receipt
from ...core.errors import Unreadable
from ...core.lines import read_lines
from .record import Record, read_record

_RecordT = TypeVar("_RecordT", bound=base.Record)

#: Bytes at a log's end that are looked at for its last lines.
_TAIL = 1_000_000


@dataclass(frozen=True)
class Folder:
    """The folder of one cluster, live or ended."""

    path: Path

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.path.name

    @property
    def record_file(self) -> Path:
        """Where the record is."""
        return self.path / "record.json"

    @property
    def logs(self) -> Path:
        """Where the logs are."""
        return self.path / "logs"

    @property
    def work(self) -> Path:
        """Where workers keep what they spill; removed at the end."""
        return self.path / "work"

    def reserve(self, size: int = 65536) -> None:
        """Set some of the disk aside, so that the end can be written when it is full by then."""
        path = self.path / ".reserve"
        path.touch(mode=0o600)
        path.write_bytes(bytes(size))

    def release(self) -> None:
        """Give back what `reserve` has set aside: the end is about to be written."""
        with contextlib.suppress(OSError):
            (self.path / ".reserve").unlink(missing_ok=True)

    def spec(self) -> ClusterSpec | None:
        """What was asked for; None when it can't be read."""
        return self._model("spec.json", ClusterSpec)

    def receipt(self) -> Receipt | None:
        """The final sum, once it has ended."""
        return self._model("receipt.json", Receipt)

    def record(self) -> Record | None:
        """The record; None when it can't be read."""
        return read_record(self.record_file)

    def heartbeat(self) -> float:
        """When the cluster's own processes last showed that they lived, in seconds since the epoch."""
        times = [0.0]
        for name in ("record.json", "ledger.jsonl"):
            try:
                times.append((self.path / name).stat().st_mtime)
            except OSError:
                continue
        return max(times)

    def lines(self, name: str, model: type[_RecordT]) -> list[_RecordT]:
        """The lines of a `.jsonl` file as models; half a line at the end (a crash, a full disk) is left out."""
        try:
            text = (self.path / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return read_lines(model, text)

    def log(self, worker: str | None, lines: int) -> list[str] | None:
        """The last `lines` lines of a worker's or the scheduler's log; None when there is no such log."""
        path = self.logs / f"{worker or 'scheduler'}.log"
        try:
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL))
                text = file.read().decode(errors="replace")
        except OSError:
            return None
        return text.splitlines()[-lines:] if lines > 0 else []

    def workers(self) -> list[str]:
        """Names of the workers that have a log."""
        return sorted(path.stem for path in self.logs.glob("*.log") if path.stem != "scheduler")

    def _model(self, name: str, model: type[_RecordT]) -> _RecordT | None:
        try:
            return base.read_record(model, (self.path / name).read_bytes())
        except (OSError, Unreadable):
            return None
