"""Alerts: what a service was found to have for longer than one window, until it hasn't for as long."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from .base import Label, Record, Saying, Time, first, otherwise
from .cluster import Problem
from .drift import FeatureDrift, Sign, drifts
from .formats import FORMAT
from .model import Baseline
from .price import HOUR, Price
from .window import Window
from .words import count, fine_money, first_of

#: Windows in a row that make an alarm of a suspicion, and that end one.
WINDOWS = 2

#: Features that are named.
_NAMED = 3

AlertPhase = Annotated[Literal["suspected", "alarm"], otherwise("suspected")]

_MOST = 10_000


class Alert(Record):
    """Something that a feature, or the answers, were found to have. Without an alert all is well.

    `calm` are the windows in a row that haven't had it since.
    """

    feature: Label
    sign: Sign
    phase: AlertPhase = "suspected"
    answers: bool = False
    since: Time = 0
    calm: int = 0
    #: As `FeatureDrift`, of the last window that had it.
    words: Saying = ""


class ServiceWatch(Record):
    """How what a service is asked, and answers, compares with its version's baseline.

    `open` is the window that isn't over, `last` the one before. `features` compare both together, so that what has
    just begun is told with enough rows. `period` are the seconds that a window lasts at least, `enough` the rows that
    it has to have. `problem` says why nothing can be compared.
    """

    format: int = FORMAT
    version: int = 0
    #: Which rows the baseline has, "train" or "valid", and how many.
    rows_of: Label = ""
    baseline: int = 0
    period: float = 0.0
    enough: int = 0
    open: Window = Window()
    last: Window | None = None
    features: Annotated[list[FeatureDrift], first(_MOST)] = []
    alerts: Annotated[list[Alert], first(_MOST)] = []
    problem: Problem | None = None
    #: As `summary`, and what rows cost, as `cost_of_rows`; set by who sends them, never stored.
    words: Saying = ""
    cost: Saying = ""

    @property
    def rows(self) -> int:
        """Rows that `features` are of."""
        return self.open.rows + (self.last.rows if self.last is not None else 0)


def cost_of_rows(watch: ServiceWatch, price: Price, reference: Price, gpus: float = 0.0) -> str:
    """What 1,000 rows cost, by what the replicas held meanwhile: "$0.0042 per 1,000 rows"; empty before any was asked.

    Parameters
    ----------
    reference : what resources cost in a cloud, about, for those that have no price.
    gpus : that were held beside each CPU.
    """
    open_, last = watch.open, watch.last or Window()
    cpus, memory = open_.cpu_seconds + last.cpu_seconds, open_.byte_seconds + last.byte_seconds
    if not watch.rows or not cpus:
        return ""
    held = cpus / HOUR, memory / HOUR, gpus * cpus / HOUR
    known, used = price.per_hour(*held), reference.per_hour(*held)
    if known is not None:
        return f"{fine_money(1000 * known / watch.rows, price.currency)} per 1,000 rows"
    about = f"about {fine_money(1000 * (used or 0.0) / watch.rows, reference.currency)}"
    return f"{about} per 1,000 rows if it were a cloud machine; no price is set"


def after_window(alerts: Iterable[Alert], found: Iterable[FeatureDrift], now: Time) -> list[Alert]:
    """The alerts after a window that is over, and of which `found` was told.

    What is found for the first time is suspected; in the next window, too, it is an alarm. A suspicion ends with the
    first window that hasn't it, an alarm with `WINDOWS` of them in a row. A window that can't tell changes nothing.
    """
    before = {(each.feature, each.sign, each.answers): each for each in alerts}
    after = []
    for drift in found:
        for sign in drift.signs:
            known = before.pop((drift.name, sign, drift.answers), None)
            phase: AlertPhase = "suspected" if known is None else "alarm"
            since = now if known is None else known.since
            after.append(
                Alert(feature=drift.name, sign=sign, phase=phase, answers=drift.answers, since=since, words=drift.words)
            )
        if drift.state == "unsure":
            after += [before.pop(key) for key in [*before] if (key[0], key[2]) == (drift.name, drift.answers)]
    for known in before.values():
        calm = known.calm + 1
        if known.phase == "alarm" and calm < WINDOWS:
            after.append(known.model_copy(update={"calm": calm}))
    return after


def together(watches: Sequence[ServiceWatch], baseline: Baseline | None) -> ServiceWatch:
    """One of what replicas watched that count for themselves, each of the same version.

    Parameters
    ----------
    baseline : of the version; without it nothing is compared.
    """
    if not watches:
        return ServiceWatch()
    lasts = [each.last for each in watches if each.last is not None]
    opened = functools.reduce(Window.plus, (each.open for each in watches))
    last = functools.reduce(Window.plus, lasts) if lasts else None
    both = opened if last is None else last.plus(opened)
    known: dict[tuple[str, str, bool], Alert] = {}
    for alert in (alert for each in watches for alert in each.alerts):
        key = (alert.feature, alert.sign, alert.answers)
        if key not in known or alert.phase == "alarm":
            known[key] = alert
    changed = {
        "open": opened,
        "last": last,
        "features": drifts(baseline, both) if baseline is not None and both.rows else [],
        "alerts": list(known.values()),
        "problem": next((each.problem for each in watches if each.problem is not None), None),
    }
    return watches[0].model_copy(update=changed)


def alarm_of(service: str, alerts: Sequence[Alert]) -> Problem | None:
    """What there is to say of the alarms, with causes and remedy; None where there is none."""
    alarms = [each for each in alerts if each.phase == "alarm"]
    if not alarms:
        return None
    asked = list(dict.fromkeys(each.feature for each in alarms if not each.answers))
    too = ", and so have its answers" if any(each.answers for each in alarms) else ""
    alone = len({(each.feature, each.answers) for each in alarms}) == 1  # it is named already
    told = list(dict.fromkeys(each.words if alone else f"{_name(each)}: {each.words}" for each in alarms))
    more = [f"and {len(told) - _NAMED:,} more"] if len(told) > _NAMED else []
    return Problem(
        what=f"What {service} is asked has changed since its version was made: {first_of(asked, _NAMED)}{too}"
        if asked
        else f"What {service} answers has changed since its version was made",
        why="; ".join([*told[:_NAMED], *more]),
        todo=_remedy(alarms),
    )


def _name(alert: Alert) -> str:
    return "its answers" if alert.answers else alert.feature


def _remedy(alarms: Sequence[Alert]) -> str:
    """What to do about it, the likeliest cause first."""
    signs = {each.sign for each in alarms}
    if "constant" in signs:
        return "Look at what it is asked, and deploy the version before where that is as it should be."
    if signs & {"missing", "outside"}:
        return "Look whether what sends these values, or their unit, has changed. If it is right, train on newer rows."
    return "Look how well it does on newer rows, and train a version on them."


def summary(watch: ServiceWatch) -> str:
    """How it is, in a line: "2 of 30 features changed: age, income"."""
    if watch.problem is not None:
        return watch.problem.what
    asked = [each for each in watch.features if not each.answers]
    changed = [each.name for each in asked if each.state == "changed"]
    unsure = [each for each in asked if each.state == "unsure"]
    number = count(len(asked), "feature")
    parts = [f"{len(changed)} of {number} changed: {first_of(changed, _NAMED)}"] if changed else []
    if any(each.answers and each.state == "changed" for each in watch.features):
        parts.append("the answers changed")
    if parts:
        return "; ".join(parts)
    if not watch.features:
        return "nothing was asked yet"
    if not unsure:
        return "as in the baseline"
    yet = " yet" if any(each.needs for each in unsure) else ""
    return f"cannot tell{yet} of {len(unsure)} of {number}"
