"""A cluster's folder: the names of what is in it, and how that is read. On this machine it lies in the home folder; on
Kubernetes the scheduler's pod has one, whose files are copied to where they outlive the pod."""

from __future__ import annotations

import contextlib
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .. import home
from .logs import end_of

if TYPE_CHECKING:
    from ..core.base import Record
    from ..core.cluster import ClusterSpec, Receipt

    _RecordT = TypeVar("_RecordT", bound=Record)

#: What was asked for, which processes it is, and the final sum.
SPEC, RECORD, RECEIPT = "spec.json", "record.json", "receipt.json"

#: Lines that are added while it lives; `RESULTS` are those of runs whose home is elsewhere.
LEDGER, SPEND, EVENTS, LIMITS, TIMELINE, RUNS, RESULTS = (
    "ledger.jsonl",
    "spend.jsonl",
    "events.jsonl",
    "limits.jsonl",
    "timeline.jsonl",
    "runs.jsonl",
    "results.jsonl",
)

#: Bytes at a log's end that are looked at for its last lines.
_TAIL = 1_000_000


@dataclass(frozen=True)
class ClusterFolder:
    """The folder of one cluster, live or ended."""

    path: Path

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.path.name

    @property
    def spec_file(self) -> Path:
        """Where it says what was asked for."""
        return self.path / SPEC

    @property
    def record_file(self) -> Path:
        """Where the record is."""
        return self.path / RECORD

    @property
    def receipt_file(self) -> Path:
        """Where the receipt is, once the cluster has ended."""
        return self.path / RECEIPT

    @property
    def logs(self) -> Path:
        """Where the logs are."""
        return self.path / "logs"

    @property
    def work(self) -> Path:
        """Where workers keep what they spill; removed at the end."""
        return self.path / "work"

    @property
    def keys(self) -> Path:
        """Where the TLS key and certificate are."""
        return self.path / "tls"

    def log_file(self, worker: str | None) -> Path:
        """Where the log of a worker is written, or that of the scheduler. For names that we gave: `log` reads."""
        return self.logs / f"{worker or 'scheduler'}.log"

    @property
    def held_file(self) -> Path:
        """Locked by its scheduler for as long as that lives, on this machine."""
        return self.path / ".held"

    def reserve(self, size: int = 65536) -> None:
        """Set some of the disk aside, so that the end can be written when it is full by then."""
        path = self.path / ".reserve"
        path.touch(mode=0o600)
        path.write_bytes(bytes(size))

    def release(self) -> None:
        """Give back what `reserve` has set aside: the end is about to be written."""
        with contextlib.suppress(OSError):
            (self.path / ".reserve").unlink(missing_ok=True)

    def spec(self) -> ClusterSpec:
        """What was asked for. Raises `Unreadable`, also when there is none."""
        from ..core.cluster import ClusterSpec
        from ..core.errors import Unreadable

        try:
            return home.read(ClusterSpec, self.spec_file)
        except FileNotFoundError:
            raise Unreadable(f"{self.spec_file} can't be read", "it is missing") from None

    def receipt(self) -> Receipt | None:
        """The final sum; None while there is none. Raises `Unreadable`."""
        from ..core.cluster import Receipt

        try:
            return home.read(Receipt, self.receipt_file)
        except FileNotFoundError:
            return None

    def write_spec(self, spec: ClusterSpec) -> None:
        """Write what was asked for; raises `StorageFull`, `Refused`."""
        home.write(self.spec_file, spec.model_dump_json(indent=1))

    def write_receipt(self, receipt: Receipt) -> None:
        """Write the final sum; raises `StorageFull`, `Refused`."""
        home.write(self.receipt_file, receipt.model_dump_json(indent=1))

    def lines(self, name: str, kind: type[_RecordT]) -> list[_RecordT]:
        """The lines of one of the files as records; empty when there is none. Raises `Unreadable`."""
        return home.read_lines(kind, self.path / name)

    @property
    def made(self) -> float:
        """When the spec was written, in seconds since the epoch; 0 where there is none."""
        try:
            return self.spec_file.stat().st_mtime
        except OSError:
            return 0.0

    def heartbeat(self) -> float:
        """When the cluster's own processes last showed that they lived, in seconds since the epoch. Raises `Unreadable`
        where that can't be seen."""
        from ..core.errors import Unreadable

        times = []
        for path in (self.record_file, self.path / LEDGER):
            try:
                times.append(path.stat().st_mtime)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise Unreadable(f"{path} can't be read", error.strerror or str(error)) from error
        return max(times, default=self.made)

    def log(self, worker: str | None, lines: int) -> list[str] | None:
        """The last `lines` lines of a worker's or the scheduler's log; None when there is no such log.

        `worker` may be what anybody sent.
        """
        try:
            path = home.named(self.logs, self.log_file(None).name if worker is None else f"{worker}.log")
            if path is None or not stat.S_ISREG(path.lstat().st_mode):  # a pipe would be waited for
                return None
            text, _ = end_of(path, _TAIL)
        except OSError:
            return None
        return text.splitlines()[-lines:] if lines > 0 else []

    def workers(self) -> list[str]:
        """Names of the workers that have a log."""
        return sorted(path.stem for path in self.logs.glob("*.log") if path != self.log_file(None))
