"""Services in a line each."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.alert import ServiceWatch, alarm_of, summary
from ..core.callers import CallerDay, ServiceCallers
from ..core.candidate import Comparison
from ..core.cluster import Problem
from ..core.drift import FeatureDrift
from ..core.performance import Performance, PerformancePeriod, figure, performance_words, share_words, when, worse_alarm
from ..core.service import ServiceState
from ..core.words import about, count, listed, percent, sentences

#: What a feature is, in a table.
_STATES = {"same": "as before", "changed": "changed", "unsure": "cannot tell"}

#: Features of a table, and periods.
_SHOWN, _PERIODS = 40, 14


def service_line(state: ServiceState, now: float) -> str:
    """A service in a line: "churn: churn@3 ready at http://127.0.0.1:8001, 2 replicas, 12.0 requests/s"."""
    told = [f"{state.version_name} {state.phase}" + (f" at {state.address}" if state.live and state.address else "")]
    if state.live:
        ready = sum(replica.phase == "ready" and replica.version == state.version for replica in state.replicas)
        told += [count(ready, "replica")]
        told += [f"{state.rate:.1f} requests/s"] if state.rate is not None else []
        told += [f"{state.model}@{state.coming} is coming"] if state.coming and state.version else []
        told += [f"{state.model}@{state.candidate.version}: {state.candidate.words}"] if state.candidate else []
    else:
        # Nobody knows when a router died.
        told += [f"for {about(now - state.since)}"] if state.since and state.phase == "stopped" else []
    told += [state.problem.what] if state.problem is not None else []
    told += [state.alarm.what] if state.alarm is not None else []
    told += [state.unkept.what] if state.unkept is not None else []
    told += [state.retraining.words] if state.retraining is not None else []
    told += [state.hint] if state.hint else []
    return f"{state.name}: {', '.join(told)}"


def comparison_table(state: ServiceState) -> str:
    """How a candidate compares with the version that serves: a line, why it went back if it did, and a table."""
    candidate = state.candidate
    if candidate is None:
        return f"{state.name}: no version is tried beside {state.version_name}"
    name = f"{state.model}@{candidate.version}"
    lines = [f"{state.name}: {name} beside {state.version_name}: {candidate.words}"]
    lines += [] if candidate.problem is None else [f"! {_sentence(candidate.problem)}"]
    if candidate.verdicts:
        head = ("", state.version_name, name, "difference", "state", "")
        lines += _columns([head, *map(_compared, candidate.verdicts)])
    return "\n".join(lines)


def _compared(each: Comparison) -> tuple[str, ...]:
    interval = "" if each.low is None or each.high is None else f"{figure(each.low)} to {figure(each.high)}"
    words = each.words.removeprefix(f"{each.state}: ")
    return each.name, figure(each.stable), figure(each.candidate), interval, each.state, words


def watch_table(service: str, watch: ServiceWatch) -> str:
    """How what a service is asked compares with the baseline: a line, what there is to say of it, and a table."""
    if watch.problem is not None:
        return f"{service}: {_sentence(watch.problem)}"
    head = f"{service}: {summary(watch)}"
    if watch.rows:
        head += f" ({count(watch.rows, 'row')}, compared with {watch.baseline:,} of {watch.rows_of})"
    alarm = alarm_of(service, watch.alerts)
    lines = [head] if alarm is None else [head, f"! {_sentence(alarm)}"]
    lines += [watch.cost] if watch.cost else []
    if not watch.features:
        return "\n".join(lines)
    head_row = ("feature", "state", "PSI", "by chance", "missing", "outside", "")
    table = _columns([head_row, *map(_row, watch.features[:_SHOWN])])
    more = [f"… and {len(watch.features) - _SHOWN:,} more"] if len(watch.features) > _SHOWN else []
    return "\n".join([*lines, *table, *more])


def watched(service: str, watch: ServiceWatch, performance: Performance | None) -> str:
    """As `watch_table`, and below it how good the service is."""
    told = "" if performance is None else performance_table(service, performance)
    return "\n\n".join(filter(None, [watch_table(service, watch), told]))


def callers_table(service: str, told: ServiceCallers, now: float) -> str:
    """Who may call a service: a line that says who would miss it, and a table of what each asked today."""
    if not told.callers:
        return f"{service}: no callers yet"
    head = ("caller", "asked last", "requests today", "rows", "errors", "versions")
    rows = [head, *(_caller(each, now) for each in told.callers)] if told.counted else []
    names = [] if told.counted else [listed([each.caller for each in told.callers])]
    return "\n".join([f"{service}: {told.words}", *names, *_columns(rows)])


def _caller(each: CallerDay, now: float) -> tuple[str, ...]:
    last = f"{about(now - each.last)} ago" if each.last else "not lately"
    versions = ", ".join(map(str, each.versions))
    return each.caller, last, f"{each.requests:,}", f"{each.rows:,}", f"{each.errors:,}", versions


def performance_table(service: str, told: Performance) -> str:
    """How good a version is: a line, what there is to say where it is worse, and the metric by the time of the answers,
    the newest first."""
    if told.problem is not None:
        return _sentence(told.problem)
    lines = [performance_words(told)]
    if told.whole is None:
        return lines[0]
    worse = worse_alarm(service, told)
    lines += [] if worse is None else [f"! {_sentence(worse)}"]
    rows: list[tuple[str, ...]] = [
        ("answered", "rows", "labelled", told.metric, "interval", "" if told.unsure else "estimated")
    ]
    rows += [_period(each) for each in [*reversed(told.periods)][:_PERIODS]]
    lines += _columns(rows)
    lines += [f"It can't be estimated: {told.unsure}."] if told.unsure else [told.blind_spot]
    return "\n".join(filter(None, lines))


def _period(each: PerformancePeriod) -> tuple[str, ...]:
    interval = "" if each.high is None else f"{figure(each.low)} to {figure(each.high)}"
    share = share_words(each) if each.rows else ""
    return when(each), f"{each.rows:,}", share, figure(each.value), interval, figure(each.estimate)


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(drift: FeatureDrift) -> tuple[str, ...]:
    psi, noise = ("" if each is None else f"{each:.2f}" for each in (drift.psi, drift.noise))
    name = "its answers" if drift.answers else drift.name
    return name, _STATES[drift.state], psi, noise, percent(drift.missing), percent(drift.outside), drift.words


def _sentence(problem: Problem) -> str:
    return sentences(problem.words, problem.todo)
