"""For how long the version before is kept ready: no process is started, and no clock is waited for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_mlops.core.model import ModelVersion
from jupyter_mlops.core.service import ServiceSpec
from jupyter_mlops.home import machine
from jupyter_mlops.serving import standby
from jupyter_mlops.serving.standby import FREE, KEPT, Standby

SPEC = ServiceSpec(name="churn", model="churn", version=1, digest="d", owner="me", created=0)


class Fleet:
    """One replica that is ready, and says so."""

    def __init__(self) -> None:
        self.spec, self.replicas, self.says = SPEC, [object()], True

    def look(self) -> None:
        """Nothing."""

    async def there(self, within: float) -> bool:
        return self.says


class Arm:
    """A version that was replaced."""

    def __init__(self) -> None:
        self.fleet, self.ready = Fleet(), 1
        self.record = ModelVersion(model="churn", number=1, digest="d", owner="me", created=0)


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The clock, and how much of the memory is free."""
    told = {"now": 100.0, "memory": 0.5}
    monkeypatch.setattr(standby, "time", SimpleNamespace(monotonic=lambda: told["now"], time=lambda: told["now"]))
    monkeypatch.setattr(standby, "free_memory", lambda: told["memory"])
    return told


def kept() -> tuple[Standby, Any, list[str]]:
    said: list[str] = []
    found, arm = Standby(said.append), Arm()
    found.keep(arm)  # type: ignore[arg-type]  # what is needed of one
    return found, arm, said


def test_it_is_kept_for_ten_minutes(free: dict[str, float]) -> None:
    found, arm, said = kept()
    free["now"] += KEPT - 1
    assert found.overdue() is None and KEPT == 600
    free["now"] += 1
    assert found.overdue() is arm and found.overdue() is None
    assert said[-1] == "churn@1 isn't kept ready any more: 10 min are over"


def test_it_goes_where_memory_is_short_or_a_replica_is_lost(free: dict[str, float]) -> None:
    found, arm, said = kept()
    free["memory"] = FREE / 2
    assert found.overdue() is arm and said[-1].endswith("only 5 % of the memory is free")
    free["memory"] = FREE
    found, arm, said = kept()
    assert found.overdue() is None
    arm.ready = 0
    assert found.overdue() is arm and said[-1].endswith("it has lost a replica")
    found, arm, said = kept()
    arm.fleet.replicas = [object()]
    assert found.overdue() is arm and said[-1].endswith("it has lost a replica"), "another is there in its place"


async def test_only_what_is_meant_and_whole_serves_again(free: dict[str, float]) -> None:
    found, arm, _ = kept()
    assert await found.back(SPEC.model_copy(update={"digest": "e"})) is None, "another version"
    assert await found.back(SPEC.model_copy(update={"patience": 5.0})) is None, "made by other bounds"
    arm.fleet.says = False
    assert await found.back(SPEC) is None, "it stands still"
    arm.fleet.says = True
    assert await found.back(SPEC.model_copy(update={"replicas": 4, "log": 0.5})) is arm, "these can change"
    assert await found.back(SPEC) is None and found.let_go() is None, "it isn't kept any more"


def test_how_much_is_free_is_a_part() -> None:
    assert 0 <= machine.free_memory() <= 1
