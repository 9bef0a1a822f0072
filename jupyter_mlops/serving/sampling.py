"""What a replica logs: some of the rows that it has answered, without what is private, until they are taken.

A row is chosen by its id, which costs a millionth of a second; all else is done for the few that are chosen, when
nobody waits for an answer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic_core import to_json

from ..core.logged import (
    ALL,
    GOLDEN,
    MOST_FEATURES,
    MOST_ROWS,
    Allowance,
    LoggedRow,
    RequestSample,
    SampleSettings,
    is_id,
    is_kept,
    place_of,
    row_id,
)
from ..registry.measure import Array
from ..registry.rows import Rows
from .calibration import Calibration
from .predictor import Predictor

#: How many times longer than it took to ask how sure answers are it is at least until that is asked again.
_REST = 100

#: Bytes of rows that are kept at most before they are taken.
_BYTES = 16 * 2**20

#: Why a version that answers each request as a whole can't be asked of a part of its rows how sure it is.
_APART = "what the version answers to a row may depend on the rows beside it"


class _Kept(NamedTuple):
    """The rows that were chosen of one request, and their answers. `places` are their numbers in it."""

    id: str
    key: str
    time: float
    of: int
    places: Sequence[int]
    rows: Rows
    answers: Array


class RequestSampler:
    """Keeps rows of requests, until they are taken.

    Parameters
    ----------
    calibration : how the version's doubts are to be read; None where they can't be.
    unsure : why they can't be.
    """

    def __init__(
        self, settings: SampleSettings, predictor: Predictor, calibration: Calibration | None, unsure: str
    ) -> None:
        self._settings, self._predictor = settings, predictor
        self._calibration, self._unsure = calibration, unsure
        if predictor.apart and calibration is not None:
            self._calibration, self._unsure = None, _APART
        self._private = frozenset(settings.private)
        self._kept: list[_Kept] = []
        self._rows = self._bytes = 0
        self._again = 0.0
        self._allowance = Allowance(settings.rows, time.time())

    def add(self, id: str, key: str, rows: Rows, answers: Array) -> None:
        """Keep what is chosen of a request that was answered."""
        if len(rows) == 1:
            if is_kept(id, self._settings.share) and is_id(id) and self._room(1):
                answer = answers.copy()  # it may be a part of what many requests were answered together
                self._keep(_Kept(id, key, time.time(), 1, [0], rows, answer))
            return
        places = (place_of(id) + np.arange(len(rows), dtype=np.uint64) * GOLDEN) % ALL
        chosen = np.flatnonzero(places < self._settings.share * ALL)
        if len(chosen) and is_id(id) and (room := self._room(len(chosen))):
            taken = chosen[np.linspace(0, len(chosen) - 1, room).astype(int)]  # not the first: tables are sorted
            self._keep(_Kept(id, key, time.time(), len(rows), taken.tolist(), rows.take(taken), answers[taken]))

    def _room(self, wanted: int) -> int:
        """How many of so many rows may be kept."""
        return self._allowance.take(min(wanted, MOST_ROWS - self._rows), time.time())

    def _keep(self, kept: _Kept) -> None:
        size = kept.answers.nbytes + kept.rows.nbytes
        if self._bytes + size > _BYTES:
            return
        self._kept.append(kept)
        self._rows += len(kept.rows)
        self._bytes += size

    def take(self) -> RequestSample:
        """What was kept since the last time."""
        kept, self._kept = self._kept, []
        sample = RequestSample(task=self._predictor.task, unsure=self._unsure)
        self._rows = self._bytes = 0
        if kept:
            said, expected = self._meanings(kept)
            at = 0
            for each in kept:
                sample.rows += self._told(each, said[at : at + len(each.rows)], expected[at : at + len(each.rows)])
                at += len(each.rows)
        return sample

    def _meanings(self, kept: Sequence[_Kept]) -> tuple[list[object], list[float | None]]:
        """What the answers mean for the model's task, and the chance of each to be right."""
        rows, answers = [each.rows for each in kept], [each.answers for each in kept]
        number = sum(map(len, rows))
        asks = self._calibration is not None and time.monotonic() >= self._again
        began = time.process_time()
        said, sure = self._predictor.meanings(rows, answers, asks=asks)
        if asks:
            self._again = time.monotonic() + _REST * (time.process_time() - began)
        if sure is None or self._calibration is None:
            return said, [None] * number
        return said, self._calibration(sure).tolist()

    def _told(self, kept: _Kept, said: Sequence[object], expected: Sequence[float | None]) -> list[LoggedRow]:
        features = self._features(kept.rows)
        return [
            LoggedRow(
                id=row_id(kept.id, place, kept.of),
                key=kept.key,
                time=kept.time,
                answer=to_json(said[at], inf_nan_mode="null").decode(),
                expected=expected[at],
                features=features[at],
            )
            for at, place in enumerate(kept.places)
        ]

    def _features(self, rows: Rows) -> list[str]:
        """The features of each row as JSON, without the private ones; empty where that is too long."""
        columns = {}
        for name, column in rows.features():
            if name not in self._private:
                values = column.values.astype(str) if column.values.dtype.kind in "mMc" else column.values
                gaps = column.missing
                plain = values.tolist()
                columns[name] = [None if gap else value for value, gap in zip(plain, gaps.tolist(), strict=True)]
        found = []
        for at in range(len(rows)):
            row = {name: values[at] for name, values in columns.items()}
            text = to_json(row, inf_nan_mode="null").decode() if row else ""
            found.append(text if len(text) <= MOST_FEATURES else "")
        return found
