"""A version that answers, with its replicas; and which of two of them answers a request."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from ..core.candidate import Candidate
from ..core.model import ModelVersion
from ..core.service import ServiceSpec
from ..home.services import ServiceFolder
from .fleet import Fleet
from .frames import COMPARE, LOG, Frame
from .keeper import sample_of

#: Callers are told apart in so many parts.
_PARTS = 10_000


@dataclass
class Arm:
    """A version that answers.

    Parameters
    ----------
    hear : called with what a replica has counted.
    """

    record: ModelVersion
    fleet: Fleet
    hear: Callable[[Frame], None] = field(default=lambda _: None)

    @classmethod
    def of(cls, spec: ServiceSpec, record: ModelVersion, folder: ServiceFolder, say: Callable[[str], None]) -> Arm:
        """The version that a wish says; none of its replicas is started yet."""
        arm = cls(record, Fleet(spec, folder, say, lambda told: arm.hear(told)))
        return arm

    @property
    def version(self) -> int:
        """Its number."""
        return self.record.number

    @property
    def ready(self) -> int:
        """How many of its replicas answer."""
        return self.fleet.ready

    def log(self, spec: ServiceSpec) -> None:
        """Have its replicas log as a wish says."""
        self.fleet.tell(LOG, sample_of(spec).model_dump_json().encode())

    def compare(self, bins: bytes) -> None:
        """Have its replicas count answers by the bins of a comparison; empty for none."""
        self.fleet.tell(COMPARE, bins)


class Chooser:
    """Says who gets the candidate: the same callers each time, without a list of them, and with a larger share they and
    others.

    Parameters
    ----------
    candidate : whose share and salt count.
    """

    def __init__(self, candidate: Candidate) -> None:
        self._begin = zlib.crc32(candidate.salt.encode())
        self._below = round(candidate.share * _PARTS)

    def __call__(self, key: str) -> bool:
        """Whether a request of this key is the candidate's."""
        return zlib.crc32(key.encode(errors="replace"), self._begin) % _PARTS < self._below
