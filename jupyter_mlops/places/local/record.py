"""A cluster's record: which processes it is, and how far it is. The truth about whether a cluster lives.

Written by the starter until it says "go", and by the scheduler program from then on. Plain dataclasses: the program
reads it before it imports pydantic.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, fields
from typing import Any

from ...core.formats import FORMAT
from .processes import Process
from .whereabouts import Distance, Whereabouts, here


@dataclass(frozen=True)
class LocalRecord:
    """What is known of a cluster's processes.

    `mark` is in the environment of all of them and of no other cluster's, even of the same name. `phase` is starting,
    running, stopping or ended; the last four are its `Whereabouts`. `created` is the spec's: a cluster whose spec can't
    be read any more is still the same one.
    """

    mark: str
    phase: str
    starter: Process
    scheduler: Process | None = None
    forkserver: Process | None = None
    address: str = ""
    started: float | None = None
    #: Why it is being ended by force, and what to say about it.
    cause: str = ""
    why: str = ""
    format: int = FORMAT
    host: str = ""
    machine: str = ""
    boot: str = ""
    numbers: str = ""
    created: float | None = None

    @property
    def distance(self) -> Distance:
        """Where it runs, seen from here: homes can be shared by machines and by containers."""
        return Whereabouts(self.host, self.machine, self.boot, self.numbers).seen_from(here())


def new_record(starter: Process, created: float) -> LocalRecord:
    """The first record of a cluster that `starter` makes here and now."""
    return LocalRecord(secrets.token_hex(8), "starting", starter, **asdict(here()), created=created)


def record_of(data: dict[str, Any]) -> LocalRecord:
    """The record that was stored as `data`; what a newer version has added is ignored.

    Raises
    ------
    KeyError, TypeError, AttributeError : it is no record.
    """
    known = _known(LocalRecord, data)
    if not isinstance(known["mark"], str) or not known["mark"]:
        raise TypeError("its mark is no text")  # all that have this mark are killed in the end: None is everybody's
    for name in ("starter", "scheduler", "forkserver"):
        if known.get(name) is not None:
            known[name] = Process(**_known(Process, known[name]))
    return LocalRecord(**known)


def _known(cls: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    return {each.name: data[each.name] for each in fields(cls) if each.name in data.keys()}  # noqa: SIM118
