"""Traffic: minutes become points of a picture, with the times of answers to within a tenth."""

from __future__ import annotations

import pytest

from jupyter_mlops.core.traffic import BOUNDS, TrafficMinute, points_of, slot_of, step_of


def minute(at: float, *times: float, version: int = 1, errors: int = 0) -> TrafficMinute:
    """What was answered in those seconds."""
    counts = [0] * (len(BOUNDS) + 1)
    for time in times:
        counts[slot_of(time)] += 1
    return TrafficMinute(at=at, version=version, requests=len(times) + errors, errors=errors, times=counts)


def test_minutes_of_a_version_are_added_and_versions_are_told_apart() -> None:
    told = points_of([minute(600, 0.01), minute(660, 0.01, errors=2), minute(660, 1.0, version=2)], 300)
    assert [(each.at, each.version, each.requests, each.errors) for each in told] == [(600, 1, 4, 2), (600, 2, 1, 0)]
    assert [each.at for each in points_of([minute(0, 1.0), minute(299, 1.0), minute(300, 1.0)], 300)] == [0, 300]


def test_half_and_95_of_100_are_found_to_within_a_tenth() -> None:
    (told,) = points_of([minute(0, *(0.001 * rank for rank in range(1, 1001)))], 60)
    assert told.middle == pytest.approx(0.5, rel=0.12)
    assert told.slow == pytest.approx(0.95, rel=0.12)
    (endless,) = points_of([minute(0, 1e6)], 60)
    assert endless.slow == BOUNDS[-1]
    (none,) = points_of([minute(0, errors=1)], 60)
    assert none.middle is None and none.slow is None


def test_a_picture_has_few_points() -> None:
    for span in (60.0, 3600.0, 86_400.0, 8 * 86_400.0):
        assert span / step_of(span) <= 192
