from __future__ import annotations

import threading
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.client.runs.execution.batcher import Batch, Batcher
from jupyter_mlops.client.runs.execution.batches import (
    AHEAD,
    BUDGET,
    LEAST,
    MOST_BYTES,
    MOST_ITEMS,
    MOST_TASKS,
    PROBE_ITEMS,
    TARGET,
    Plan,
)
from jupyter_mlops.client.runs.execution.channel import Channel
from jupyter_mlops.client.runs.execution.feeding import GROWTH, FedBatch, Feed
from jupyter_mlops.client.runs.execution.items import items_of

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


@pytest.mark.parametrize("streamed", [False, True], ids=["list", "iterator"])
@pytest.mark.parametrize("item", [5e-6, 1e-3])
async def test_what_a_task_had_no_time_for_is_cut_as_everything_else_is(streamed: bool, item: float) -> None:
    total, threads = 35_000, 2
    channel, over = Channel(), threading.Event()
    user = threading.Thread(target=lambda: [channel.serve() for _ in iter(lambda: over.wait(0.001), True)])
    user.start()
    batcher = Batcher(items_of(iter(range(total)) if streamed else range(total)), channel, "a run", alone=False)
    batcher.weigh()
    flying: deque[tuple[Batch, float]] = deque()
    done = 0
    try:
        while True:
            window = threads * (1 + AHEAD) if batcher.plan.measured else threads
            while len(flying) < window and (batch := await batcher.next(threads)) is not None:
                flying.append((batch, batcher.plan.budget()))
            if not flying:
                break
            batch, budget = flying.popleft()
            count = min(batch.count, max(1, int(budget / item)))
            done += count
            batcher.plan.measure(count, count * item)
            if count < batch.count:
                batcher.take_back(batch, count)
    finally:
        over.set()
        user.join()
    work = total * item / TARGET
    assert done == total and batcher.given <= 2 * work + 20 * threads


async def test_batches_that_wait_share_a_task_once_it_is_known_how_light_they_are() -> None:
    feed = Feed()
    answered: list[object] = []
    for number in range(16):
        feed.put(FedBatch([number], answered.append))
    assert feed.size == 1
    first = await feed.next(2)
    assert [batch.items for batch in first] == [[0]], "nobody knows yet"
    feed.plan.measure(1, 0.001)
    feed.answer(first[0], ["zero"])
    assert answered == [["zero"]]
    assert feed.size == GROWTH, "the next ones may be heavier"
    assert [batch.items for batch in await feed.next(2)] == [[number] for number in range(1, 16)]
    feed.plan.measure(10_000, 10.0)
    for _ in range(40):
        feed.put(FedBatch([0] * 25, answered.append))
    assert len(await feed.next(2)) == 10, "two tasks for each of two threads"
    feed.plan.measure(10_000, 10_000.0)
    assert len(await feed.next(2)) == 1, "heavy ones go one by one"
    feed.put(None)
    while await feed.next(2):
        pass
    feed.end(RuntimeError("it is over"))
    assert sum(isinstance(each, RuntimeError) for each in answered) == 15 + 40
    feed.put(FedBatch([1], answered.append))
    assert isinstance(answered[-1], RuntimeError)
