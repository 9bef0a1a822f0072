"""All ranks of a gang are told to stop at the same step."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.agent.leaving import LeaveNotice, Stopping


def _train(path: str, local: int, gather: Callable[[], Any], every: int, told: Any) -> None:
    """Asks once a step; waits for the others in every so many."""
    stopping, step = Stopping(path, local), 0
    while True:
        step += 1
        if step % every == 0:
            gather()
        if stopping.ask():
            told[local] = step
            return


@pytest.mark.parametrize("every", [1, 3])
def test_ranks_that_wait_for_each_other_stop_at_one_step(tmp_path: Path, every: int) -> None:
    """Two seats with two ranks each, as processes; the notice comes at any time."""
    context = multiprocessing.get_context("fork")
    for number in range(8):
        paths = [str(tmp_path / f"{number}-{seat}") for seat in (0, 1)]
        seats = [LeaveNotice(path, 2) for path in paths]
        barrier, told = context.Barrier(4), [context.Array("q", 2) for _ in seats]
        ranks = [
            context.Process(target=_train, args=(paths[seat], local, barrier.wait, every, told[seat]))
            for seat in (0, 1)
            for local in (0, 1)
        ]
        for rank in ranks:
            rank.start()
        time.sleep(random.Random(number).random() * 0.05)
        last = 1 + max(seat.give() for seat in seats)
        for seat in seats:
            seat.agree(last)
        for rank in ranks:
            rank.join()
            assert rank.exitcode == 0
        assert {*told[0], *told[1]} == {last}


def test_without_notice_nobody_stops(tmp_path: Path) -> None:
    LeaveNotice(str(tmp_path / "numbers"), 1)
    stopping = Stopping(str(tmp_path / "numbers"), 0)
    assert not any(stopping.ask() for _ in range(1000)) and not stopping.told


def test_who_was_told_to_stop_is_told_so_again(tmp_path: Path) -> None:
    notice, stopping = LeaveNotice(str(tmp_path / "numbers"), 1), Stopping(str(tmp_path / "numbers"), 0)
    assert not stopping.ask()
    notice.agree(notice.give() + 1)
    assert stopping.ask() and stopping.ask() and stopping.told
