"""How good a service's version is at what it is asked: its metric by the time of the answers, as far as labels have
come, and an estimate until they do.

*Accuracy* is the share of answers that are right, with the interval of E. B. Wilson, "Probable Inference, the Law of
Succession, and Statistical Inference", JASA 22, 1927. *RMSE* is the root of the mean squared error, with the interval
of that mean by its own variance.

*The estimate* is the mean of each answer's own chance to be right, calibrated by the rows that the version was measured
with: J. Kivimäki et al., "Confidence-based Estimators for Predictive Performance in Model Monitoring", JAIR, 2025. It
rests on chances meaning what they meant there: of rows of a kind that was rare there it may be wrong, and where what is
right has changed it can't see that at all.

*Worse*: labelled rows, in blocks by the time of their answers, against those that the version was measured with. Errors
are compared by the test of two counts that drift has, RMSE by the normal distribution of its difference.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Sequence
from typing import Annotated

from .alert import Alert, after_window
from .base import Amount, Label, Record, Saying, Seconds, Time, first
from .cluster import Problem
from .drift import ALPHA, SMALL_SHARE, FeatureDrift, binomial_tail
from .formats import FORMAT
from .model import Measured
from .words import count, percent

#: Labelled rows of a block, at least, so that a drop of a tenth shows.
BLOCK = 100

#: An RMSE that is larger by less than this part would matter to nobody.
SMALL_PART = 0.05

#: Seconds of a period: an hour while there are few of them, else a day.
HOUR, DAY = 3600.0, 86400.0
_HOURS = 48

#: Of the normal distribution: for an interval of 95 %, and for the chance ALPHA.
_Z, _Z_ALPHA = 1.96, 2.326

#: What an estimate can't see, to be written beside it.
BLIND_SPOT = (
    "It is estimated from how sure the version is of its answers. Where what is right has changed, and what it is "
    "asked hasn't, an estimate can't see it: labels can."
)

#: The last moment that has a date here.
_LATEST = 4e9

#: Periods that are told: the newest.
_MOST = 1000


class Tally(Record):
    """Rows of a stretch of time: how many were kept, and how many of them have labels; the sums of the scores of those
    and of their squares; and of how many rows something is expected, and what in all."""

    since: Time
    until: Time
    rows: Amount = 0
    labelled: Amount = 0
    total: float = 0.0
    squares: float = 0.0
    expecting: Amount = 0
    expected: float = 0.0

    def plus(self, more: Tally) -> Tally:
        """Both together."""
        names = ("rows", "labelled", "total", "squares", "expecting", "expected")
        sums = {name: getattr(self, name) + getattr(more, name) for name in names}
        return Tally(since=min(self.since, more.since), until=max(self.until, more.until), **sums)


class PerformancePeriod(Record):
    """The metric of rows that were answered in a stretch of time, with its interval, on those that have labels.

    `rows` are all that were kept, `estimate` is of all of them that the version could say how sure it is of.
    """

    since: Time
    until: Time
    rows: Amount = 0
    labelled: Amount = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    estimate: float | None = None


class Performance(Record):
    """How good a version is at what a service is asked. `whole` is of all rows that are kept, `periods` by time.

    `before` is what it was when the version was saved. `problem` says why nothing can be measured, `unsure` why nothing
    can be estimated, and `blind_spot` what an estimate can't see.
    """

    format: int = FORMAT
    version: int = 0
    digest: Label = ""
    metric: Label = ""
    #: Whether more is better.
    more: bool = True
    before: Measured | None = None
    whole: PerformancePeriod | None = None
    periods: Annotated[list[PerformancePeriod], first(_MOST)] = []
    alerts: Annotated[list[Alert], first(10)] = []
    problem: Problem | None = None
    unsure: Saying = ""
    blind_spot: Saying = ""
    #: As `performance_words`; set by who sends it, never stored.
    words: Saying = ""


def period_of(since: Time, until: Time) -> Seconds:
    """Seconds of a period of rows from `since` until `until`."""
    return HOUR if until - since <= _HOURS * HOUR else DAY


def metric_of(task: str) -> tuple[str, bool] | None:
    """By what a task is measured here, and whether more is better; None where nothing says so."""
    return {"classification": ("accuracy", True), "regression": ("rmse", False)}.get(task)


def performance_of(
    tallies: Sequence[Tally], task: str, before: Measured | None, unsure: str, version_name: str
) -> Performance:
    """How good a version is, from what its rows' periods add up to, the first first.

    Parameters
    ----------
    before : its metric when it was saved, if it was measured.
    unsure : why it can't be estimated; empty where it can.
    """
    metric = metric_of(task)
    if metric is None:
        problem = Problem(
            what=f"How good {version_name} is can't be measured",
            why="its task isn't known: it was saved without valid, or is neither a classification nor a regression",
            todo="Save it again, with valid=(X, y).",
        )
        return Performance(problem=problem)
    name, more = metric
    told = Performance(metric=name, more=more, before=before, unsure=unsure)
    told.blind_spot = "" if unsure else BLIND_SPOT
    told.periods = [_period(each, name) for each in tallies[-_MOST:]]
    if tallies:
        whole = tallies[0]
        for each in tallies[1:]:
            whole = whole.plus(each)
        told.whole = _period(whole, name)
    if before is not None:
        for block in blocks(tallies):
            told.alerts = after_window(told.alerts, [_judged(block, name, before)], block.until)
    return told


def blocks(tallies: Iterable[Tally]) -> list[Tally]:
    """Periods put together, so that each block has labelled rows enough to tell; what is left at the end isn't one."""
    found: list[Tally] = []
    open_: Tally | None = None
    for each in tallies:
        open_ = each if open_ is None else open_.plus(each)
        if open_.labelled >= BLOCK:
            found.append(open_)
            open_ = None
    return found


def _period(tally: Tally, metric: str) -> PerformancePeriod:
    told = PerformancePeriod(since=tally.since, until=tally.until, rows=tally.rows, labelled=tally.labelled)
    if tally.labelled:
        told.value, told.low, told.high = _measured(tally, metric)
    if tally.expecting and metric == "accuracy":
        told.estimate = min(1.0, max(0.0, tally.expected / tally.expecting))
    return told


def _measured(tally: Tally, metric: str) -> tuple[float, float | None, float | None]:
    """The metric with the bounds of its interval of 95 %."""
    n, mean = tally.labelled, tally.total / tally.labelled
    if metric == "accuracy":
        middle, wide = (mean + _Z**2 / (2 * n)), _Z * math.sqrt(mean * (1 - mean) / n + _Z**2 / (4 * n**2))
        whole = 1 + _Z**2 / n
        return mean, max(0.0, (middle - wide) / whole), min(1.0, (middle + wide) / whole)
    if n < 2:
        return math.sqrt(mean), None, None
    wide = _Z * _deviation(tally)
    return math.sqrt(mean), math.sqrt(max(0.0, mean - wide)), math.sqrt(mean + wide)


def _deviation(tally: Tally) -> float:
    """The standard deviation of the mean score."""
    n = tally.labelled
    variance = max(0.0, tally.squares / n - (tally.total / n) ** 2) * n / (n - 1)
    return math.sqrt(variance / n)


def _judged(block: Tally, metric: str, before: Measured) -> FeatureDrift:
    """A block of labelled rows beside what the version was measured with."""
    now, _, _ = _measured(block, metric)
    worse = _more_wrong(block, before) if metric == "accuracy" else _larger(block, before)
    rows = f"{count(block.labelled, 'labelled row')} ({_share(block.labelled, block.rows)} of those logged)"
    words = f"{metric} {figure(now)} of {rows}, and {figure(before.value)} before"
    if not worse:
        return FeatureDrift(name=metric, state="same")
    return FeatureDrift(name=metric, state="changed", signs=["worse"], words=words)


def _more_wrong(block: Tally, before: Measured) -> bool:
    """Whether answers are wrong more often than before, by more than chance and by what matters."""
    n, m = block.labelled, before.rows
    wrong = round(n - block.total)
    if not m or wrong / n - (1 - before.value) < SMALL_SHARE:
        return False
    was = round(m * (1 - before.value))
    return binomial_tail(wrong, wrong + was + 1, n / (n + m)) < ALPHA


def _larger(block: Tally, before: Measured) -> bool:
    now = math.sqrt(block.total / block.labelled)
    if not before.rows or now <= before.value * (1 + SMALL_PART):
        return False
    ours = _deviation(block) / (2 * now) if now else 0.0
    known = before.low is not None and before.high is not None
    theirs = (before.high - before.low) / (2 * _Z) if known and before.high and before.low is not None else 0.0
    return now - before.value > _Z_ALPHA * math.hypot(ours, theirs)


# The words.


def performance_words(told: Performance) -> str:
    """How good it is, in a line: "accuracy 0.81 (0.78 to 0.84), on the 41 % of 1,000 logged rows that have labels; 0.83
    when it was saved"."""
    if told.problem is not None:
        return told.problem.what
    whole = told.whole
    before = f"; {figure(told.before.value)} when it was saved" if told.before is not None else ""
    if whole is None or not whole.rows:
        return f"{told.metric} isn't known: no request was logged yet{before}" if told.metric else ""
    if whole.value is None:
        if whole.estimate is not None:
            return f"{told.metric} about {figure(whole.estimate)}, estimated: no labels yet{before}"
        why = f", and can't be estimated: {told.unsure}" if told.unsure else ", and none can be estimated yet"
        return f"{told.metric} isn't known: no labels yet{why}{before}"
    spread = "" if whole.high is None else f" ({figure(whole.low)} to {figure(whole.high)})"
    of = f"on the {share_words(whole)} of {count(whole.rows, 'logged row')} that have labels"
    return f"{told.metric} {figure(whole.value)}{spread}, {of}{before}"


def worse_alarm(service: str, told: Performance) -> Problem | None:
    """What there is to say where the version has been worse for two blocks of labelled rows."""
    alarm = next((each for each in told.alerts if each.phase == "alarm"), None)
    if alarm is None:
        return None
    return Problem(
        what=f"What {service} answers is worse than when its version was made",
        why=alarm.words,
        todo="Look at the rows that it is wrong on. Train a version on newer rows, or deploy the version before.",
    )


def when(period: PerformancePeriod) -> str:
    """The hour or day of a period, in UTC: "2026-11-27 13:00"."""
    moment = datetime.datetime.fromtimestamp(min(max(period.since, 0.0), _LATEST), datetime.timezone.utc)
    return f"{moment:%Y-%m-%d}" if period.until - period.since >= DAY else f"{moment:%Y-%m-%d %H:%M}"


def figure(value: float | None) -> str:
    """A metric with two digits that count, or four of a large number; empty where there is none."""
    if value is None:
        return ""
    return f"{value:.4g}" if value > 1 else f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.2g}"


def share_words(period: PerformancePeriod) -> str:
    """The part of a period's rows that has labels: all is all."""
    return _share(period.labelled, period.rows)


def _share(labelled: int, rows: int) -> str:
    part = labelled / rows if rows else 0.0
    return "less than 1 %" if 0 < part < 0.01 else percent(min(part, 0.99) if labelled < rows else part)
