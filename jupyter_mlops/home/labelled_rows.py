"""What labels say of a log's rows: how two versions compare by them, and how they come."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .request_rows import opened

if TYPE_CHECKING:
    from ..core.base import Seconds, Time
    from ..core.evidence import LabelledMetric, LabelPace
    from ..core.sequence import ArmSums

#: Labels by which it is told how they come, and seconds that the first ones of a service count for at least.
_PACED, _BRIEF = 1000, 60.0

#: Rows whose answers are known to be right or wrong. By their labels they are found without a look at all others.
_SCORED = "label IS NOT NULL AND score IS NOT NULL"

#: A few answers, of so many one, may be much older than the others, and tell nothing.
_EARLY = 20


@dataclass(frozen=True)
class LabelledRows:
    """The labelled rows of a log. Its methods raise as those of `RequestLog`.

    Parameters
    ----------
    path : of the database.
    """

    path: Path

    def metric(self, stable: str, candidate: str, stretches: Sequence[tuple[Time, Time]]) -> LabelledMetric:
        """The metric of two versions in each stretch of time.

        Parameters
        ----------
        stable, candidate : digests of the versions.
        stretches : a stretch that ends at 0 goes on.
        """
        from ..core.evidence import LabelledArms, LabelledMetric
        from ..core.performance import metric_of

        if not self.path.exists():
            return LabelledMetric()
        with opened(self.path) as db:
            found = db.execute("SELECT task FROM versions WHERE digest = ?", (stable,)).fetchone()
            task = found[0] or "" if found else ""
            name, more = metric_of(task) or ("", True)
            used = db.execute(f"SELECT 1 FROM rows WHERE {_SCORED} LIMIT 1").fetchone() is not None  # noqa: S608 - ours
            arms = [
                LabelledArms(stable=_scores(db, stable, *each), candidate=_scores(db, candidate, *each))
                for each in stretches
            ]
        return LabelledMetric(name=name, more=more, binary=task == "classification", used=used, stretches=arms)

    def pace(self, now: Time, lately: Seconds) -> LabelPace:
        """How labels have come in the last seconds `lately`, by the newest of them."""
        from ..core.evidence import LabelPace

        if not self.path.exists():
            return LabelPace()
        recent = f"{_SCORED} AND labelled BETWEEN ? AND ?"
        newest = f"SELECT labelled, time FROM rows WHERE {recent} ORDER BY labelled DESC LIMIT ?"  # noqa: S608 - ours
        with opened(self.path) as db:
            found = db.execute(newest, (now - lately, now, _PACED)).fetchall()
            if not found:
                return LabelPace()
            (number,) = db.execute(
                f"SELECT count(*) FROM rows WHERE {recent}",  # noqa: S608 - ours
                (found[-1][0], now),
            ).fetchone()
        answered = sorted(time for _, time in found)
        delays = sorted(max(0.0, labelled - time) for labelled, time in found)
        since = answered[len(answered) // _EARLY]
        return LabelPace(rate=number / max(_BRIEF, now - since), delay=delays[len(delays) // 2])


def _scores(db: sqlite3.Connection, digest: str, since: Time, until: Time) -> ArmSums:
    """The scores of a version's rows in a stretch of time."""
    from ..core.sequence import ArmSums

    asked = (
        "SELECT count(score), total(score), total(score * score) FROM rows "
        "WHERE digest = ? AND time >= ? AND time < ? AND score IS NOT NULL"
    )
    number, total, squares = db.execute(asked, (digest, since, until or 1e12)).fetchone()
    return ArmSums(number=number, total=total, squares=squares)
