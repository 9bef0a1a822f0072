"""The folder of a cluster of this machine: as of any cluster, and the record of its processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ... import home
from ...home.clusters import ClusterFolder
from .record import LocalRecord, record_of


@dataclass(frozen=True)
class Folder(ClusterFolder):
    """The folder of one cluster, live or ended."""

    def record(self) -> LocalRecord:
        """Which processes it is. Raises `Unreadable`, also when there is none."""
        try:
            return record_of(json.loads(self.record_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            from ...core.errors import Unreadable

            why = error.strerror if isinstance(error, OSError) else f"it is damaged ({type(error).__name__}: {error})"
            raise Unreadable(f"{self.record_file} can't be read", why or "", home.REPAIR) from None

    def write_record(self, record: LocalRecord) -> None:
        """Write which processes it is; raises `StorageFull`, `Refused`."""
        home.write(self.record_file, json.dumps(asdict(record), indent=1))
