"""Waiting with a limit."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from jupyter_mlops.core import waiting
from jupyter_mlops.core.waiting import end_tasks, to_the_end, until_set, wait_for


async def test_an_answer_in_time_is_given_and_an_error_is_raised() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    assert await wait_for(asyncio.sleep(0, "answer"), 10) == "answer"
    assert await wait_for(asyncio.shield(asyncio.sleep(0, "late")), 10) == "late"
    with pytest.raises(ZeroDivisionError):
        await wait_for(fail(), 10)


async def test_what_is_late_is_cancelled() -> None:
    late = asyncio.ensure_future(asyncio.sleep(3600))
    with pytest.raises(asyncio.TimeoutError):
        await wait_for(late, 0.01)
    assert late.cancelled()


async def test_an_event_is_waited_for_no_longer_than_asked() -> None:
    event = asyncio.Event()
    assert not await until_set(event, 0.01)
    asyncio.get_running_loop().call_soon(event.set)
    assert await until_set(event, 10)


@pytest.mark.parametrize("steps", range(6))
async def test_a_cancellation_is_not_lost_at_whatever_moment_the_answer_comes(steps: int) -> None:
    async def long(answer: asyncio.Future[int]) -> None:
        for _ in range(100):
            await wait_for(asyncio.shield(answer), 60)
            await asyncio.sleep(0)

    answer = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(long(answer))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(answer.set_result, 1)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_callers_cancellation_reaches_what_is_waited_for() -> None:
    waited = asyncio.ensure_future(asyncio.sleep(3600))
    task = asyncio.ensure_future(wait_for(waited, 3600))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled() and waited.cancelled()


async def test_a_task_that_loses_a_cancellation_is_ended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect() -> None:
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
        raise OSError

    monkeypatch.setattr(waiting, "_AGAIN", 0.01)
    tasks = [asyncio.create_task(connect()), asyncio.create_task(asyncio.sleep(3600))]
    await asyncio.sleep(0)
    await asyncio.wait_for(end_tasks(*tasks), 30)
    assert isinstance(tasks[0].exception(), OSError) and tasks[1].cancelled()


async def test_what_a_task_puts_back_at_its_end_is_put_back_however_often_it_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_back: list[int] = []

    async def slowly() -> None:
        for number in range(5):
            await asyncio.sleep(0.05)
            put_back.append(number)

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await to_the_end(slowly())

    monkeypatch.setattr(waiting, "_AGAIN", 0.01)
    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await end_tasks(task)
    assert task.cancelled() and put_back == [0, 1, 2, 3, 4]
    assert await to_the_end(asyncio.sleep(0, "answer")) == "answer"
