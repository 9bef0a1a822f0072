"""The board of a trial that several pods take part in: a Secret with who answers, and what each pod has seen."""

from __future__ import annotations

import base64
import binascii
import contextlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .base import read_record
from .errors import Unreadable
from .split import ReplicaReport, Split

#: The file of who answers. All others are reports, one of each pod, by its name.
SPLIT = "split.json"

#: The variable that tells a pod its name.
POD = "JUPYTER_MLOPS_POD"

#: Bytes of a report, unpacked.
_MOST = 2_000_000


@dataclass(frozen=True)
class Board:
    """What stood there.

    Parameters
    ----------
    version : Kubernetes' own number for it.
    """

    split: Split
    version: str = ""
    reports: Mapping[str, ReplicaReport] = field(default_factory=dict)


def packed(report: ReplicaReport) -> bytes:
    """A report as it is kept: there is one of each pod, in an object that is read every second."""
    return zlib.compress(report.model_dump_json().encode())


def board_of(item: Mapping[str, Any]) -> Board:
    """What a Secret says. A report that can't be read is left out: a pod runs what people wrote. Raises `Unreadable`
    where that is so of who answers."""
    data = {str(name): _decoded(content) for name, content in (item.get("data") or {}).items()}
    reports = {}
    for name, content in data.items():
        if name != SPLIT:
            with contextlib.suppress(Unreadable, zlib.error):
                text = zlib.decompressobj().decompress(content, _MOST)
                reports[name] = read_record(ReplicaReport, text, "report of a pod")
    split = read_record(Split, data.get(SPLIT, b""), "who answers, as all pods know it")
    return Board(split, str((item.get("metadata") or {}).get("resourceVersion", "")), reports)


def _decoded(content: object) -> bytes:
    with contextlib.suppress(TypeError, ValueError, binascii.Error):
        return base64.b64decode(str(content), validate=True)
    return b""
