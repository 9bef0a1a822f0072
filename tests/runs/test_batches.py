from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.client.runs.execution.batches import (
    BUDGET,
    LEAST,
    MOST_BYTES,
    MOST_ITEMS,
    MOST_TASKS,
    PROBE_ITEMS,
    TARGET,
    Plan,
)

times = st.floats(1e-8, 100.0)


@settings(deadline=None)  # the machine is shared
@given(st.integers(1, 10**7), st.integers(1, 64), times, st.integers(1, 10**6))
def test_a_plan_cuts_all_items_into_tasks_of_length(total: int, threads: int, item: float, size: int) -> None:
    plan = Plan(total)
    plan.weigh(100, 100 * size)
    plan.measure(10, 10 * item)
    sizes = plan.cut(total, threads)
    assert sum(sizes) == total and min(sizes) > 0 and len(sizes) <= MOST_TASKS
    first = plan.size(total, threads)
    assert first == 1 or (first * item <= TARGET * 1.01 and first * size <= MOST_BYTES and first <= MOST_ITEMS)


@given(st.integers(1, 10**7), st.integers(1, 64))
def test_before_anything_is_measured_tasks_are_probes(total: int, threads: int) -> None:
    plan = Plan(total)
    assert plan.size(total, threads) <= 100
    plan.weigh(64, 640)
    assert plan.size(total, threads) <= PROBE_ITEMS
    assert plan.budget() < BUDGET


def test_tasks_get_smaller_towards_the_end_but_not_tiny() -> None:
    plan = Plan(2000)
    plan.weigh(10, 100)
    plan.measure(10, 0.1)
    sizes = plan.cut(2000, 2)
    assert sizes[0] == round(TARGET / 0.01) and sizes[-2] * 0.01 <= max(LEAST, TARGET / 4)


def test_items_that_get_slower_make_smaller_tasks() -> None:
    plan = Plan(None)
    plan.measure(1000, 0.1)
    before = plan.size(None, 2)
    for _ in range(5):
        plan.measure(100, 1.0)
    assert plan.size(None, 2) < before / 10


@given(st.integers(1, 1000), times)
def test_a_task_has_at_least_an_item(left: int, item: float) -> None:
    plan = Plan(None)
    plan.measure(1, item)
    assert 1 <= plan.size(left, 8) <= left
