"""The curves of a run, as its user holds them."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from ... import places
from ...core.curve import Curve, CurveLine, CurveOf, Curves
from ...core.errors import MlopsError
from ...core.run import RunState
from ...core.words import count
from ...home.runs import run_folder
from ..clusters.kernel import kernel, loop_thread

if TYPE_CHECKING:
    import pandas

#: Values that are shown of a curve.
SHOWN = 48

#: Trials that are shown of a metric.
SEVERAL = 10

_BARS = "▁▂▃▄▅▆▇█"


class MetricCurves:
    """A metric of a run over its steps.

    Attributes
    ----------
    key : the metric's name.
    ranks : rank → its `Curve`, with `steps`, `values` and `times`. What is no gang has rank 0 only. Empty where trials
        of a sweep logged it.
    trials : of a sweep, the number of a trial → its `MetricCurves`.
    """

    def __init__(self, key: str, curves: Mapping[CurveOf, Curve]) -> None:
        self.key = key
        self.ranks = {of.rank: curve for of, curve in curves.items() if of.trial is None}
        by_trial: dict[int, dict[CurveOf, Curve]] = {}
        for of, curve in curves.items():
            if of.trial is not None:
                by_trial.setdefault(of.trial, {})[CurveOf(key, None, of.rank)] = curve
        self.trials = {trial: MetricCurves(key, ranks) for trial, ranks in by_trial.items()}
        self._first = next(iter(curves.values()))

    @property
    def steps(self) -> list[int]:
        """Of the first rank that logged it; of a sweep, of its first trial."""
        return self._first.steps

    @property
    def values(self) -> list[float]:
        """Of the first rank that logged it, or the first trial: one for each of the `steps`."""
        return self._first.values

    def __len__(self) -> int:
        return len(self._first)

    def __repr__(self) -> str:
        if not self.ranks:
            shown = [f"trial {number}: {each!r}" for number, each in islice(self.trials.items(), SEVERAL)]
            shown += ["…"] if len(self.trials) > SEVERAL else []
            return "\n  ".join([f"{self.key} of {count(len(self.trials), 'trial')}", *shown])
        curve = self._first
        points = curve.points
        of = "" if list(self.ranks) == [0] else f" of {count(len(self.ranks), 'rank')}"
        line = f"<{self.key}{of}: {count(len(points), 'point')}"
        if points:
            known = [point.value for point in points if math.isfinite(point.value)] or [points[-1].value]
            line += f", steps {points[0].step} to {points[-1].step}"
            line += f", {min(known):.4g} to {max(known):.4g}, last {points[-1].value:.4g}"
        return f"{line} {sparkline(curve.values)}>" if points else f"{line}>"


class RunCurves(Mapping[str, MetricCurves]):
    """What a run logged: a metric's name → its curves.

    Parameters
    ----------
    curves : all of them.
    """

    def __init__(self, curves: Curves) -> None:
        self._curves = curves

    def __getitem__(self, key: str) -> MetricCurves:
        curves = self._curves.of_key(key)
        if not curves:
            raise KeyError(f"{key!r} is none of {', '.join(map(repr, self)) or 'its metrics: there are none'}")
        return MetricCurves(key, curves)

    def __iter__(self) -> Iterator[str]:
        return iter(self._curves.keys)

    def __len__(self) -> int:
        return len(self._curves.keys)

    @property
    def attempts(self) -> dict[int, int]:
        """The attempts of a gang that went on from a checkpoint, or began anew (-1): attempt → step."""
        return {mark.attempt: mark.step for mark in self._curves.attempts if mark.trial is None}

    def frame(self) -> pandas.DataFrame:
        """All points as a table with the columns key, rank, step, value, time (UTC), attempt and, of a sweep's trials,
        trial. It needs pandas."""
        import pandas

        rows = [
            (key, of.rank, point.step, point.value, point.time, point.attempt, of.trial)
            for key in self
            for of, curve in self._curves.of_key(key).items()
            for point in curve.points
        ]
        table = pandas.DataFrame(rows, columns=["key", "rank", "step", "value", "time", "attempt", "trial"])
        table["time"] = pandas.to_datetime(table["time"], unit="s", utc=True)
        table["trial"] = table["trial"].astype("Int64")
        return table

    def __repr__(self) -> str:
        return "\n".join(repr(each) for each in self.values()) or "<no metrics: mlops.log_metric records some>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def curves_of(record: RunState) -> RunCurves:
    """The curves of a run.

    Raises
    ------
    Unreadable : they are here, and can't be read.
    """
    lines = run_folder(record.id).curves()
    if not lines and not places.writes_home(record.ran_on):
        lines = _on_cluster(record)
    if not lines:
        return RunCurves(Curves.of_last(record.metrics, record.created))
    return RunCurves(Curves.of(lines, most=None))


def sparkline(values: list[float]) -> str:
    """Values as a line of text: each character is the mean of as many of them."""
    size = max(1, -(-len(values) // SHOWN))
    chunks = [[each for each in values[at : at + size] if math.isfinite(each)] for at in range(0, len(values), size)]
    means = [sum(chunk) / len(chunk) if chunk else None for chunk in chunks]
    known = [mean for mean in means if mean is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    scale = (len(_BARS) - 1) / (high - low) if high > low and math.isfinite(high - low) else 0.0
    return "".join(" " if mean is None else _BARS[round((mean - low) * scale)] for mean in means)


def _on_cluster(record: RunState) -> list[CurveLine]:
    try:
        return loop_thread().call(_asked(record))
    except MlopsError:  # the cluster has ended, never knew the run, or is of an earlier version
        return []


async def _asked(record: RunState) -> list[CurveLine]:
    opened = await kernel().sessions.open(record.ran_on, timeout=5.0)
    return (await opened.link.run_points(record.id))[1]
