"""What windows find becomes an alarm when it lasts, and ends when it is gone for as long."""

from __future__ import annotations

import pytest

from jupyter_mlops.core.alert import Alert, ServiceWatch, after_window, alarm_of, cost_of_rows, summary, together
from jupyter_mlops.core.cluster import Problem
from jupyter_mlops.core.drift import FeatureDrift
from jupyter_mlops.core.model import Baseline, Bins
from jupyter_mlops.core.price import HOUR, REFERENCE, Price
from jupyter_mlops.core.window import FeatureCounts, Window

#: A window that found a shift, one that didn't, one that couldn't tell yet, and one that never will.
STATES = {"!": ("changed", ["shift"]), ".": ("same", []), "?": ("unsure", []), "x": ("unsure", [])}


def drift(kind: str, name: str = "age", *, answers: bool = False) -> FeatureDrift:
    state, signs = STATES[kind]
    told = FeatureDrift(name=name, state=state, signs=signs, words=f"{name} is odd", answers=answers)  # type: ignore[arg-type]  # as in the table
    told.needs = 9 if kind == "?" else 0
    return told


@pytest.mark.parametrize(
    ("windows", "phases"),
    [
        ("!", "s"),
        ("!.", "s-"),
        ("!!", "sa"),
        ("!!.", "saa"),
        ("!!..", "saa-"),
        ("!!.!", "saaa"),
        ("!!.!.", "saaaa"),
        ("!!.!..", "saaaa-"),
        ("!?!", "ssa"),
        ("!!.?.", "saaa-"),
        ("??", "--"),
        ("!.!.!.", "s-s-s-"),
    ],
)
def test_an_alert_comes_and_goes_with_windows_in_a_row(windows: str, phases: str) -> None:
    alerts: list[Alert] = []
    seen = ""
    for now, kind in enumerate(windows):
        alerts = after_window(alerts, [drift(kind), drift(".", "age", answers=True)], float(now))
        seen += alerts[0].phase[0] if alerts else "-"
        assert len(alerts) <= 1 and all(each.since <= now for each in alerts)
    assert seen == phases


def test_an_alarm_has_cause_and_remedy() -> None:
    assert alarm_of("churn", [Alert(feature="age", sign="shift")]) is None
    names = ["age", "income", "city", "plan"]
    alarms = [Alert(feature=name, sign="shift", phase="alarm", words=f"of {name}") for name in names]
    told = alarm_of("churn", [*alarms, Alert(feature="answer", sign="shift", phase="alarm", answers=True)])
    assert told is not None
    assert told.what.endswith("version was made: age, income, city and 1 more, and so have its answers")
    assert told.why == "age: of age; income: of income; city: of city; and 2 more"
    assert told.todo == "Look how well it does on newer rows, and train a version on them."
    units = alarm_of("churn", [Alert(feature="age", sign="outside", phase="alarm")])
    assert units is not None and "or their unit, has changed" in units.todo
    stuck = alarm_of("churn", [Alert(feature="answer", sign="constant", phase="alarm", answers=True)])
    assert (
        stuck is not None and stuck.what.startswith("What churn answers has changed") and "version before" in stuck.todo
    )


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ("", "nothing was asked yet"),
        ("..", "as in the baseline"),
        (".?", "cannot tell yet of 1 of 2 features"),
        (".x", "cannot tell of 1 of 2 features"),
        ("!.", "1 of 2 features changed: f0"),
    ],
)
def test_a_watch_in_a_line(kinds: str, words: str) -> None:
    features = [drift(kind, f"f{at}") for at, kind in enumerate(kinds)]
    assert summary(ServiceWatch(features=features)) == words
    watch = ServiceWatch(features=[drift("!", answers=True)], open=Window(rows=3), last=Window(rows=4))
    assert summary(watch) == "the answers changed" and watch.rows == 7
    assert summary(ServiceWatch(problem=Problem(what="no baseline"))) == "no baseline"


def test_what_replicas_watched_by_themselves_is_one() -> None:
    """Each has half of a change, and one of them is sure of its alarm."""
    baseline = Baseline(rows_of="valid", rows=4000, features=[Bins(name="age", edges=[0, 1, 2], counts=[2000, 2000])])

    def watch(phase: str, last: Window | None = None) -> ServiceWatch:
        asked = Window(digest="d", rows=400, features=[FeatureCounts(name="age", counts=[40, 360])])
        return ServiceWatch(version=3, open=asked, last=last, alerts=[Alert(feature="age", sign="shift", phase=phase)])  # type: ignore[arg-type]  # as given

    both = together([watch("suspected"), watch("alarm", Window(digest="d", rows=2))], baseline)
    assert (both.version, both.open.rows, both.rows) == (3, 800, 802)
    assert both.open.features[0].counts == [80, 720]
    assert [each.state for each in both.features] == ["changed"] and [each.phase for each in both.alerts] == ["alarm"]
    assert together([], baseline).rows == 0 and together([watch("alarm")], None).features == []


def test_rows_cost_what_was_held_meanwhile() -> None:
    last = Window(rows=1500, cpu_seconds=HOUR, byte_seconds=2e9 * HOUR)
    watch = ServiceWatch(open=Window(rows=500, cpu_seconds=HOUR), last=last)
    price = Price(cpu_hour=0.1, gb_hour=0.05)
    assert cost_of_rows(watch, price, REFERENCE) == "$0.15 per 1,000 rows"
    assert cost_of_rows(watch, price.model_copy(update={"gpu_hour": 1.0}), REFERENCE, 0.5) == "$0.65 per 1,000 rows"
    about = cost_of_rows(watch, Price(), REFERENCE)
    assert about == "about $0.036 per 1,000 rows if it were a cloud machine; no price is set"
    assert cost_of_rows(ServiceWatch(open=Window(cpu_seconds=9)), price, REFERENCE) == ""
