"""What the steps of a notebook made when they ran last: taken from where it is kept, or sent on from there."""

from __future__ import annotations

import contextlib
import io
import pickle
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ..agent import seals
from ..client.runs.execution.arrived import arrived
from ..core.base import Time, read_record
from ..core.errors import Unreadable
from ..core.step import StepRecord
from ..home.parcels import PART
from ..home.steps import step_folder
from .steps import sealed_for

#: Parts of what is sent on.
MOST_PARTS = 4


class KeptStep(NamedTuple):
    """What a step made, as it is kept: sealed."""

    record: StepRecord
    sealed: bytes


def kept_steps(notebook: str, steps: Iterable[str], since: Time = 0) -> Iterator[KeptStep]:
    """What steps made when they ran last, after a time; those that failed, or aren't kept, are left out."""
    for name in steps:
        folder = step_folder(notebook, name)
        record = folder.last()
        if record is None or record.error or record.unkept or record.made < since:
            continue
        with contextlib.suppress(OSError):
            yield KeptStep(record, folder.values(record.key))


def packed_steps(steps: Iterable[KeptStep]) -> tuple[list[bytes], list[str]]:
    """As parts that can be sent, the smaller steps first, and the names of those that are too large for it."""
    fits, left, room = list[KeptStep](), list[str](), MOST_PARTS * PART
    for step in sorted(steps, key=lambda each: len(each.sealed)):
        told = len(step.record.model_dump_json()) + len(step.sealed) + 1000
        if told <= room:
            fits.append(step)
            room -= told
        else:
            left.append(step.record.name)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for step in fits:
            archive.writestr(f"{step.record.name}.json", step.record.model_dump_json())
            archive.writestr(f"{step.record.name}.bin", step.sealed)
    data = buffer.getvalue() if fits else b""
    return [data[at : at + PART] for at in range(0, len(data), PART)], left


def unpacked_steps(parts: Sequence[bytes]) -> list[KeptStep]:
    """Those of `packed_steps`. Raises `Unreadable` where they aren't whole."""
    if not parts:
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
            names = [name.removesuffix(".json") for name in archive.namelist() if name.endswith(".json")]
            read = {name: read_record(StepRecord, archive.read(f"{name}.json")) for name in names}
            return [KeptStep(record, archive.read(f"{name}.bin")) for name, record in read.items()]
    except (zipfile.BadZipFile, KeyError) as error:
        raise Unreadable("What the steps made can't be read", str(error), "Run them again.") from None


def values_of(steps: Iterable[KeptStep], key: bytes) -> dict[str, Any]:
    """The variables that steps made, by their names; of a later step those of its names.

    Parameters
    ----------
    key : what they are sealed with. What has another seal isn't unpickled.

    Raises
    ------
    Unreadable : one has another seal.
    RunFailed : a value can't be made here; the cause is chained.
    """
    found: dict[str, Any] = {}
    for step in sorted(steps, key=lambda each: each.record.made):
        try:
            given: dict[str, Any] = seals.plain(seals.opened(step.sealed, key, sealed_for(step.record)))
        except (seals.BrokenSeal, pickle.UnpicklingError, EOFError):
            why = "it isn't what the step made: somebody has changed it, or it was scheduled from elsewhere"
            raise Unreadable(f"What {step.record.name} made can't be read", why, "Run it again.") from None
        if "results" in given:
            found |= dict.fromkeys(step.record.makes, arrived(given["results"], kept=True))
        else:
            found |= arrived(given["names"], kept=True)
    return found
