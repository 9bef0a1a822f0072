"""What held-out rows say of how a version's answers differ from those of the version that serves.

The candidate has answered its held-out rows when it was saved, and so has the version that serves if they are its own,
too. Else that is asked them now, in a process of its own, `python -m jupyter_mlops.serving.paired`, which reads what is
asked from standard input and answers on standard output: to load a model takes memory, seconds and the code that is in
it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import NamedTuple
from zipfile import BadZipFile

from ..core.answer import ProcessAnswer, refusal_as
from ..core.base import Label, Record, Seconds, read_record
from ..core.errors import MlopsError
from ..core.expected import Expected
from ..core.model import Bins, ModelVersion
from ..core.service import ServiceSpec
from ..home.models import ANSWERS, ROWS, ModelFolder, model_folder
from ..home.process import answer_of
from ..registry.answers import ask, given
from ..registry.flavors import FLAVORS
from ..registry.load import load
from ..registry.measure import SEED, Answers, Array
from ..registry.rows import rows_from, sample_of, undump
from .counting import cells_of

#: Held-out rows that are compared at most, and seconds that it may take to ask them.
_ROWS = 5000
_PATIENCE: Seconds = 60.0

#: What is raised where something that was kept isn't what it should be.
_BROKEN = (MlopsError, OSError, ValueError, KeyError, TypeError, IndexError, BadZipFile)


class PairAsked(Record):
    """A version that serves, and one that is to be tried beside it, of a model."""

    model: Label
    stable: int
    digest: Label
    candidate: int


class PairAnswer(ProcessAnswer):
    """What is expected of the answers of the second one."""

    expected: Expected | None = None


async def expected_beside(served: ServiceSpec, version: ModelVersion) -> Expected | None:
    """What is expected of the answers of a version that is tried beside the one that serves; None where nobody knows:
    held-out rows weren't kept, are another model's, or can't be asked."""
    asked = PairAsked(model=served.model, stable=served.version, digest=served.digest, candidate=version.number)
    try:
        found, asks = await asyncio.to_thread(_looked_up, asked)
        if not asks:
            return found
        what = f"what to expect of {version.name} isn't known"
        return (await answer_of("jupyter_mlops.serving.paired", asked, PairAnswer, what, _PATIENCE)).expected
    except _BROKEN:
        return None  # it is compared with the version that serves, as if it were to answer alike


class _Pair(NamedTuple):
    """Two versions of a model, and what was kept of them."""

    folder: ModelFolder
    stable: ModelVersion
    #: By what answers differ, and the digest of the candidate's held-out rows with what it answered to them.
    bins: Bins
    own: tuple[str, Array]


def _pair(asked: PairAsked) -> _Pair | None:
    """The pair; None where nothing can be expected of it."""
    folder = model_folder(asked.model)
    stable, candidate = folder.version(asked.stable).record(), folder.version(asked.candidate).record()
    bins, own = _bins(folder, stable), _kept(folder, candidate)
    if stable.digest != asked.digest or bins is None or own is None:
        return None
    return _Pair(folder, stable, bins, own)


def _looked_up(asked: PairAsked) -> tuple[Expected | None, bool]:
    """What is expected, as far as no model has to be asked; and whether one is to be."""
    pair = _pair(asked)
    if pair is None:
        return None, False
    kept = _kept(pair.folder, pair.stable)
    if kept is None or kept[0] != pair.own[0]:
        return None, (pair.folder.version(asked.candidate).path / ROWS).exists()
    return _expected(pair.bins, kept[1], pair.own[1], None), False


def _asked(asked: PairAsked) -> Expected | None:
    """What is expected, by what the version that serves answers now to the other one's held-out rows."""
    pair = _pair(asked)
    kept = None if pair is None else pair.folder.version(asked.candidate).read(ROWS)
    if pair is None or kept is None:
        return None
    rows, model = rows_from(kept), load(pair.folder, pair.stable, quiet=True)
    chosen = sample_of(len(rows), _ROWS, SEED)
    rows = rows if chosen is None else rows.take(chosen)
    return _expected(pair.bins, ask(FLAVORS[pair.stable.flavor], model, rows), pair.own[1], chosen)


def _bins(folder: ModelFolder, version: ModelVersion) -> Bins | None:
    """Those of its answers; None where there are none by which answers could differ."""
    baseline = folder.version(version.number).baseline()
    bins = None if baseline is None else baseline.answers
    return bins if bins is not None and (bins.edges or bins.values) else None


def _kept(folder: ModelFolder, version: ModelVersion) -> tuple[str, Array] | None:
    """The digest of a version's held-out rows, and what it answered to them."""
    data = folder.version(version.number).read(ANSWERS)
    if data is None:
        return None
    told, arrays = undump(data)
    answers = given(version.signature, Answers(**arrays))
    return None if answers is None else (str(told["rows"]), answers)


def _expected(bins: Bins, stable: Array, candidate: Array, chosen: Array | None) -> Expected | None:
    """What is expected by the answers of both to the same rows; the candidate's are of all of which some are chosen."""
    if chosen is None and len(candidate) > _ROWS:
        chosen = sample_of(len(candidate), _ROWS, SEED)
        stable = stable[chosen]
    candidate = candidate if chosen is None else candidate[chosen]
    if stable.ndim != 1 or candidate.ndim != 1 or len(stable) != len(candidate):
        return None
    cells, pairs = len(bins.counts) + 3, zip(cells_of(bins, stable), cells_of(bins, candidate), strict=True)
    both = [
        (one.index(1), other.index(1), answer)
        for (one, other), answer in zip(pairs, candidate.tolist(), strict=True)
        if 1 in one and 1 in other and len(one) == len(other) == cells
    ]
    if not both:
        return None
    return Expected.of([one for one, _, _ in both], [other for _, other, _ in both], [each for *_, each in both], cells)


def main() -> None:
    """As a program."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what models print is no answer
    asked = read_record(PairAsked, sys.stdin.buffer.read(), "pair of versions")
    try:
        told = PairAnswer(expected=_asked(asked))
    except MlopsError as error:
        told = refusal_as(PairAnswer, error)
    answers.write(f"\n{told.model_dump_json()}\n")


if __name__ == "__main__":
    main()
