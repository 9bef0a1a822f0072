"""Which rows are logged depends on their ids alone, and is the share that was asked for."""

from __future__ import annotations

import pytest

from jupyter_mlops.core.logged import (
    Allowance,
    LoggedRow,
    is_id,
    is_kept,
    key_digest,
    most_even,
    row_id,
)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_share_of_rows_is_kept_of_many_requests_and_of_a_large_one(share: float) -> None:
    many = [f"{begin}-{number:x}" for begin in ("ab12cd34ef56", "0f0f0f0f0f0f") for number in range(1, 10_001)]
    assert sum(is_kept(id, share) for id in many) == pytest.approx(share * len(many), rel=0.15)
    assert sum(is_kept(row_id("order", row, 5000), share) for row in range(5000)) == pytest.approx(5000 * share, abs=30)
    assert not any(is_kept(id, 0.0) for id in many) and all(is_kept(id, 1.0) for id in many)
    assert row_id("a", 0, 1) == "a" and row_id("a", 2, 3) == "a/2"
    for id in ("a/2", "order/no", "/1", "²/²"):  # whatever a caller calls a request
        assert is_kept(id, 1.0) and not is_kept(id, 0.0)


def test_an_allowance_is_used_up_and_comes_back_with_time() -> None:
    allowance = Allowance(3600, 0.0)
    assert [allowance.take(5000, 0.0), allowance.take(5, 0.0)] == [3600, 0], "what an hour has may come at once"
    assert [allowance.take(5, 10.0), allowance.take(9, 10.0), allowance.take(9, 5.0)] == [5, 5, 0]
    assert allowance.take(10**6, 10.0**9) == 3600


def test_what_is_left_of_too_many_has_nothing_to_do_with_the_order() -> None:
    rows = [LoggedRow(id=str(at)) for at in range(100)]
    kept = most_even(rows, 10)
    assert kept == most_even(rows[::-1], 10) != rows[:10] and most_even(rows, 100) == rows


def test_a_key_is_known_again_and_not_read() -> None:
    assert key_digest("anna", "s") == key_digest("anna", "s") != key_digest("anna", "t")
    assert "anna" not in key_digest("anna", "s")
    assert is_id("a/1") and not any(map(is_id, ("", "a\nb", "x" * 300, 7, None)))
