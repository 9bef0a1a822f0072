"""What becomes of the points that ranks log."""

from __future__ import annotations

import copy
import math
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.agent.points import PointsIn, PointsOut
from jupyter_mlops.controller.runs.curves import ALL_RECENT, CurveKeeper
from jupyter_mlops.core.curve import (
    ALL_POINTS,
    FEWEST_POINTS,
    MOST_CURVES,
    MOST_POINTS,
    TOLD_POINTS,
    Copied,
    Curve,
    CurveLine,
    CurveOf,
    Curves,
    Point,
    lines_of,
    thinned,
)
from jupyter_mlops.core.lines import read_lines

NAN = float("nan")


def line(steps: Any, values: Any = None, **more: Any) -> CurveLine:
    steps = list(steps)
    values = [float(step) for step in steps] if values is None else values
    return CurveLine(**{"key": "loss", "steps": steps, "values": values, "times": [1.0] * len(steps), **more})


def begins(attempt: int, step: int) -> CurveLine:
    return CurveLine(attempt=attempt, begins=step)


def loss(*lines: CurveLine) -> list[tuple[int, float]]:
    curve = Curves.of(lines).get("loss")
    return [] if curve is None else list(zip(curve.steps, curve.values, strict=True))


@given(
    st.lists(st.tuples(st.integers(-1000, 100_000), st.floats()), min_size=1, max_size=400), st.sampled_from([48, 120])
)
def test_of_many_points_the_telling_ones_are_kept(rows: list[tuple[int, float]], most: int) -> None:
    points = [Point(step, value, 0.0, 1) for step, value in rows]
    kept = thinned(points, most)
    assert len(kept) <= most and set(map(id, kept)) <= set(map(id, points))
    assert [point.step for point in kept] == sorted(point.step for point in kept)
    assert kept[0].step == min(step for step, _ in rows) and kept[-1].step == max(step for step, _ in rows)
    finite = [value for _, value in rows if math.isfinite(value)]
    shown = [point.value for point in kept if math.isfinite(point.value)]
    assert (min(finite, default=0), max(finite, default=0)) == (min(shown, default=0), max(shown, default=0))
    odd = any(not math.isfinite(value) for _, value in rows)
    assert odd == any(not math.isfinite(point.value) for point in kept), "a NaN is never thinned away"


def test_very_many_points_become_few_and_a_peak_of_one_is_among_them() -> None:
    curve = Curve()
    for begin in range(0, 200_000, 5000):
        values = [1.0] * 5000
        if begin == 100_000:
            values[77] = 99.0
        curve.add(line(range(begin, begin + 5000), values))
    assert len(curve) <= MOST_POINTS
    assert (curve.steps[0], curve.steps[-1]) == (0, 199_999) and max(curve.values) == 99.0
    gaps = [after - before for before, after in zip(curve.steps, curve.steps[1:], strict=False)]
    assert max(gaps) < 4000, "old ones are not fewer than new ones"


def test_thousands_of_metrics_share_the_room() -> None:
    curves = Curves()
    for number in range(MOST_CURVES + 500):
        curves.take(line(range(100), key=f"metric {number}"))
    view = curves.view()
    assert (len(view.curves), view.left_out) == (MOST_CURVES, 500)
    for number in range(MOST_CURVES):
        curves.take(line(range(100, 101), key=f"metric {number}"))
    points = sum(len(curve.steps) for curve in curves.view().curves)
    assert points <= max(ALL_POINTS, FEWEST_POINTS * MOST_CURVES)


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        ([line(range(5)), begins(2, 2), line([3, 4], [30.0, 40.0], attempt=2)], [0, 1, 2, 30, 40]),
        ([line(range(5)), begins(2, 2), line([2, 3], [20.0, 30.0], attempt=2)], [0, 1, 20, 30]),
        ([line(range(5)), begins(2, 2)], [0, 1, 2]),
        ([line(range(5)), begins(2, -1), line([0], [9.0], attempt=2)], [9]),
        ([line(range(3)), begins(2, 1), line([2], attempt=1)], [0, 1]),
        ([line(range(3)), begins(2, 1), line([2], [20.0], attempt=2), line([2, 3], attempt=1)], [0, 1, 20]),
        ([begins(1, 100), line([101, 102])], [101, 102]),
        ([line([3, 1, 2, 1], [3.0, 1.0, 2.0, 1.5])], [1, 1.5, 2, 3]),
    ],
    ids=["goes on", "same step", "nothing yet", "anew", "late", "stale", "of another run", "backwards"],
)
def test_an_attempt_takes_the_place_of_what_came_after_its_checkpoint(
    lines: list[CurveLine], seen: list[float]
) -> None:
    assert [value for _, value in loss(*lines)] == seen
    again = Curves.of(lines_of(Curves.of(lines)))
    assert again.view().curves == Curves.of(lines).view().curves
    assert again.attempts == Curves.of(lines).attempts


def test_values_without_a_step_are_counted_from_the_checkpoint_on() -> None:
    curves = Curves()
    assert curves.next_step(CurveOf("loss"), 1) == 0
    curves.take(line([0, 1]))
    assert (curves.next_step(CurveOf("loss"), 1), curves.next_step(CurveOf("loss", rank=1), 1)) == (2, 0)
    curves.take(begins(2, 1))
    assert curves.next_step(CurveOf("loss"), 2) == 2


def test_trials_of_a_sweep_have_curves_and_attempts_of_their_own() -> None:
    lines = [
        line(range(4), trial=0),
        line(range(4), trial=7),
        line([5]),
        CurveLine(trial=7, attempt=2, begins=1),
        line([2], [20.0], trial=7, attempt=2),
        line([9], trial=7, attempt=1),  # stale
        line([4], trial=0),
    ]
    curves = Curves.of(lines)
    seen = {(of.trial, of.rank): curve.values for of, curve in curves.of_key("loss").items()}
    assert seen == {(None, 0): [5], (0, 0): [0, 1, 2, 3, 4], (7, 0): [0, 1, 20]}
    assert list(seen) == [(None, 0), (0, 0), (7, 0)], "in their order"
    assert (curves.next_step(CurveOf("loss", 7), 2), curves.next_step(CurveOf("loss", 8), 1)) == (3, 0)
    again = Curves.of(lines_of(curves))
    assert {(each.trial, *each.values) for each in again.view().curves} == {(t, *v) for (t, _), v in seen.items()}
    many = Curves.of(line(range(500), trial=trial) for trial in range(400))
    told = [len(each.steps) for each in many.view(most=MOST_POINTS).curves]
    assert len(told) == 400 and sum(told) <= TOLD_POINTS


def test_lines_are_stored_and_read_whatever_is_wrong_with_some() -> None:
    odd = line([1, 2, 3], [NAN, float("-inf"), 1e308])
    text = "\n".join(each.model_dump_json(exclude_defaults=True) for each in [odd, line([4])])
    text += '\n{"key": 5, "steps": "x"}\n{"key": "loss", "steps": [9]}\n{"key": "lo'
    read = read_lines(CurveLine, text)
    seen = Curves.of(read).view().curves[0]
    assert (seen.steps, seen.values) == ([1, 2, 3, 4], [None, None, 1e308, 4.0])
    assert (seen.odd, seen.odd_step) == ("nan", 1)


def test_a_copy_lacks_nothing_whether_the_cluster_remembers_all_lines_or_not() -> None:
    def told(step: int, **more: Any) -> CurveLine:
        return line([step], times=[float(step)], **more)

    whole = Curves()
    lines = [told(1), told(2, rank=1), begins(2, 0), told(1, attempt=2), told(5, rank=1, attempt=2), told(6, attempt=2)]
    for number, each in enumerate(lines, 1):
        whole.take(each)
        lines[number - 1] = each.model_copy(update={"seq": number})
    copied, here = Copied(), lines[:0]
    here += copied.news(2, lines[:2])
    here += copied.news(5, lines[2:5])
    here += copied.news(6, list(lines_of(whole)))  # the one with the number 6 is forgotten
    again = Copied(here)
    assert again.news(6, list(lines_of(whole))) == []
    assert {(each.rank, *each.steps) for each in Curves.of(here).view().curves} == {(0, 1, 6), (1, 5)}
    assert [each.begins for each in here if each.begins is not None] == [0]


def test_what_was_copied_twice_counts_once_and_who_asks_again_is_told_what_is_new() -> None:
    assert loss(line([1], seq=1), line([2], seq=2), line([1], seq=1), line([2], seq=2)) == [(1, 1.0), (2, 2.0)]
    curves = Curves.of([line([1]), line([1], key="acc")])
    seen = curves.view().seq
    curves.take(line([2], key="acc"))
    assert [curve.key for curve in curves.view(seen).curves] == ["acc"]


def test_a_trial_begins_once_whichever_thread_or_fork_logs_its_first_point() -> None:
    read, write = os.pipe()
    os.set_blocking(read, False)
    told: list[tuple[list[float], int | None, bool]] = []
    points = PointsIn(read, lambda columns, _, trial, begins: told.append((columns["loss"]["values"], trial, begins)))
    out = PointsOut(write)

    def log(by: PointsOut, value: float) -> None:
        by.add("loss", value, None)
        points.drain()

    log(out, 0.0)
    for trial in (7, 8, 8):
        out.begin_trial(trial)
        fork = copy.copy(out)  # that is what a fork is
        log(fork, 1.0)
        log(out, 2.0)
    out.begin_trial(None)
    log(fork, 3.0)
    log(out, 4.0)
    of = [(values[0], trial) for values, trial, begins in told if begins]
    assert of == [(1.0, 7), (1.0, 8), (1.0, 8)] and len(told) == 9
    os.close(read)
    os.close(write)


def test_all_runs_of_a_cluster_share_the_room_for_points_that_are_kept_whole() -> None:
    keeper = CurveKeeper(None, print)

    def log(step: int) -> None:
        column = {"steps": [step], "values": [1.0], "times": [1.0]}
        keeper.take({"columns": {"loss": column}}, {})

    def whole() -> int:
        """How many of the newest lines are told as they came."""
        last = keeper.lines(0)[0]
        return next(number for number in range(100) if len(keeper.lines(last - number - 1)[1]) != number + 1)

    for step in range(30):
        log(step)
    assert len(keeper.lines(0)[1]) == 30
    keeper.share(ALL_RECENT // 10)
    assert whole() == 10
    log(30)
    assert whole() == 10
    keeper.share(1)
    log(31)
    assert whole() == 11, "there is more room again"
    keeper.fade()
    log(32)
    assert whole() == 1
