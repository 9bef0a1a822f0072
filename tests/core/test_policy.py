"""Decisions: when a cluster ends, how many workers it has, how long to wait."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.budget import Budget
from jupyter_mlops.core.policy import PATIENCE, Load, adaptive_target, backoff, next_stop, patient_target
from jupyter_mlops.core.profile import Limits

LOADS = st.builds(Load, st.integers(0, 100_000), st.floats(0, 1e6), st.floats(0, 1))
TIMES = st.floats(0, 1e6)


@given(LOADS, st.integers(1, 64), st.integers(0, 500), st.integers(0, 100), st.integers(0, 100))
def test_a_target_stays_within_its_bounds(load: Load, threads: int, workers: int, low: int, more: int) -> None:
    assert low <= adaptive_target(load, threads, workers, low, low + more) <= low + more


@given(st.integers(1, 100_000), st.floats(0, 1e6), st.integers(1, 64), st.integers(0, 500))
def test_work_gets_a_worker_but_never_more_than_it_has_tasks(
    tasks: int, seconds: float, threads: int, workers: int
) -> None:
    target = adaptive_target(Load(tasks, seconds), threads, workers, 0, 5000)
    assert 1 <= target <= -(-tasks // threads) or target == 5000


@given(LOADS, st.integers(1, 8), st.integers(0, 100))
def test_more_work_never_means_fewer_workers(load: Load, threads: int, workers: int) -> None:
    more = Load(load.tasks + 10, load.occupancy + 100, load.memory)
    assert adaptive_target(more, threads, workers, 0, 5000) >= adaptive_target(load, threads, workers, 0, 5000)


def test_data_keeps_as_many_workers_as_it_needs() -> None:
    assert adaptive_target(Load(0, 0.0, 0.0), 1, 10, 0, 20) == 0
    assert adaptive_target(Load(0, 0.0, 1e-9), 1, 10, 0, 20) == 1
    assert adaptive_target(Load(0, 0.0, 0.2), 1, 10, 0, 20) == 4
    assert adaptive_target(Load(0, 0.0, 0.5), 1, 10, 0, 20) == 10
    assert adaptive_target(Load(0, 0.0, 0.7), 1, 10, 0, 20) == 20


def test_going_down_takes_patience() -> None:
    assert patient_target(5, 3, None, 100) == (5, None)
    target, since = patient_target(1, 3, None, 100)
    assert (target, since) == (3, 100)
    assert patient_target(1, 3, since, 100 + PATIENCE - 0.1) == (3, 100)
    assert patient_target(1, 3, since, 100 + PATIENCE) == (1, 100)
    assert patient_target(3, 3, since, 110) == (3, None), "work came back: the clock starts anew"


@given(st.integers(0, 10_000))
def test_backoff_grows_to_half_a_minute(deaths: int) -> None:
    assert 0 <= backoff(deaths) <= backoff(deaths + 1) <= 30


@given(TIMES, TIMES, st.none() | TIMES, st.none() | TIMES)
def test_the_soonest_limit_counts(now: float, started: float, idle: float | None, until: float | None) -> None:
    budget = None if until is None else Budget(limit=10, until=until)
    stop = next_stop(Limits(idle_timeout=60, lifetime=600, budget=10), now, started, idle, budget)
    assert stop is not None
    ends = {"lifetime": started + 600, "idle": None if idle is None else idle + 60, "budget": until}
    assert stop.at == ends[stop.cause] == min(at for at in ends.values() if at is not None)


def test_no_limits_no_end() -> None:
    assert next_stop(Limits(idle_timeout=None, lifetime=None), 1e9, 0, 0) is None
    assert next_stop(Limits(idle_timeout=60, lifetime=None), 1e9, 0, None) is None
