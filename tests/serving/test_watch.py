"""A service that is watched: what it is asked is counted, over replicas and restarts, and said where it changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.alert import Alert, ServiceWatch
from jupyter_mlops.core.cluster import Problem
from jupyter_mlops.core.drift import FeatureDrift
from jupyter_mlops.core.model import Measured
from jupyter_mlops.core.performance import DAY, Tally, performance_of
from jupyter_mlops.core.window import Window
from jupyter_mlops.serving.lines import performance_table, watch_table

from ..models.conftest import fitted, people
from .conftest import until

#: Rows of a request, of which each is like those that the version was measured with.
ROWS = 200


@pytest.fixture(scope="module")
def saved() -> Callable[[int], tuple[Any, Any]]:
    """A model of a library, of tables: what changed is said by its name, and its answers stay as they were."""
    return lambda seed: (fitted(seed), people(1))


def test_what_a_service_is_asked_is_counted_and_said_where_it_changes(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By two replicas, in windows of a second, and after it was stopped as well."""
    service = mlops.deploy("churn@1", name="watched", replicas=2, window="1 s")
    asked = 0

    def ask(seed: int, years: int = 0) -> None:
        nonlocal asked
        X, _ = people(seed, ROWS)
        X["age"] += years
        service.predict(X)
        service.predict(X.iloc[:1])
        asked += ROWS + 1

    def counted() -> int:
        return sum(window.rows for window in service.windows()) + service.watch().state.open.rows

    try:
        assert "nothing was asked yet" in repr(service.watch()) and service.state.alarm is None
        ask(100)
        until(lambda: counted() == asked)
        assert service.watch().changed == [] and "compared with 400 of valid" in repr(service.watch())
        seeds = iter(range(200, 10_000))

        def alarmed() -> bool:
            if counted() == asked:  # so that each look has some
                ask(next(seeds), years=40)
            return service.state.alarm is not None

        until(alarmed)
        alarm = service.state.alarm
        assert alarm is not None and "What watched is asked has changed since its version was made" in alarm.what
        assert alarm.what.endswith(": age") and "PSI" in alarm.why and alarm.todo
        assert "age" in [each.feature for each in service.watch().state.alerts if each.phase == "alarm"]
        assert alarm.what in repr(service)
        ask(1, years=40)
        service.stop()
        assert counted() == asked, "what was counted last is kept, too"
        assert "age" in service.watch().changed and service.state.alarm is None
        service = mlops.deploy("churn@1", name="watched")
        ask(2)
        until(lambda: counted() == asked)
        state = service.watch().state
        assert state.period == 1 and state.version == 1 and state.alerts, "it goes on where it was"
        assert main(["services", "watch", "watched"]) == 0
        assert "watched: " in (text := capsys.readouterr().out) and "age " in text and "! What watched" in text
        mlops.deploy("churn@2", name="watched")
        ask(3)
        until(lambda: (state := service.watch().state).version == 2 and state.rows == ROWS + 1)
        assert service.state.alarm is None and service.watch().state.alerts == []
        until(lambda: counted() == asked)
        assert sum(each.rows for each in service.windows() if each.version == 1) == asked - ROWS - 1
    finally:
        service.stop()


def test_a_watch_is_a_table_with_what_has_changed_first() -> None:
    assert watch_table("churn", ServiceWatch(problem=Problem(what="It has no baseline", todo="Save it again."))) == (
        "churn: It has no baseline. Save it again."
    )
    features = [FeatureDrift(name=f"f{at}", state="same", psi=0.01, noise=0.02) for at in range(50)]
    features[0] = FeatureDrift(name="age", state="changed", psi=0.31, noise=0.05, missing=0.1, words="PSI 0.31")
    features[1] = FeatureDrift(name="answer", state="unsure", answers=True, words="cannot tell yet: needs 300 rows")
    alarm = Alert(feature="age", sign="shift", phase="alarm", words="PSI 0.31")
    watch = ServiceWatch(baseline=400, rows_of="valid", open=Window(rows=1200), features=features, alerts=[alarm])
    lines = watch_table("churn", watch).splitlines()
    assert lines[0] == "churn: 1 of 49 features changed: age (1,200 rows, compared with 400 of valid)"
    assert lines[1].startswith("! What churn is asked has changed since its version was made: age: PSI 0.31.")
    assert [line.split()[:3] for line in lines[3:5]] == [["age", "changed", "0.31"], ["its", "answers", "cannot"]]
    assert len(lines) == 3 + 40 + 1 and lines[-1] == "… and 10 more"


def test_how_good_it_is_is_a_table_with_what_is_newest_first() -> None:
    days = [
        Tally(since=day * DAY, until=(day + 1) * DAY, rows=400, labelled=200, total=right, squares=right, **known)
        for day, right, known in ((0, 180, {}), (1, 120, {}), (2, 130, {"expecting": 400, "expected": 344.0}))
    ]
    told = performance_of(days, "classification", Measured(value=0.9, rows=1000), "", "churn@1")
    lines = performance_table("churn", told).splitlines()
    assert lines[0].startswith("accuracy 0.72 (0.68 to 0.75), on the 50 % of 1,200 logged rows that have labels")
    assert lines[1].startswith("! What churn answers is worse than when its version was made: accuracy 0.65 of 200")
    assert [line.split() for line in lines[2:4]] == [
        ["answered", "rows", "labelled", "accuracy", "interval", "estimated"],
        ["1970-01-03", "400", "50", "%", "0.65", "0.58", "to", "0.71", "0.86"],
    ]
    assert len(lines) == 3 + 3 + 1 and "can't see it: labels can" in lines[-1]
    told = performance_of(days, "regression", None, "a number says nothing", "churn@1")
    assert performance_table("churn", told).endswith("It can't be estimated: a number says nothing.")
