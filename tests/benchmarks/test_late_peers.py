"""A peer that takes longer than it is waited for has a row all the same, which says so."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from benchmarks.measure import Longer, compared, machine, until_late
from benchmarks.table import table


def test_a_peer_that_is_late_is_said_and_judged_by_what_is_known() -> None:
    def wait() -> None:
        raise TimeoutError("226 of 500 run")

    late = until_late(wait, 180)
    assert (late, isinstance(late, Longer)) == (180, True)
    few, many = (compared("pods", "s", ours, late, "the operator", 1 / 8) for ours in (9.0, 90.0))
    document = json.loads(json.dumps({"machine": machine(), "results": [asdict(few), asdict(many)]}))
    rows = table(document).splitlines()[2:4]
    assert rows[0].endswith("| > 180 s (the operator) | < 0.05 | ratio ≤ 0.125 | met |")
    assert rows[1].endswith("| > 180 s (the operator) | < 0.5 | ratio ≤ 0.125 | not known |")


def test_a_peer_that_comes_is_measured() -> None:
    figure = until_late(lambda: None, 180)
    assert 0 <= figure < 180 and not isinstance(figure, Longer)
    row = compared("pods", "s", figure + 1, 1.0, "the operator", 0.5)
    assert (row.met, row.longer) == (False, False)


def test_what_goes_wrong_otherwise_is_no_lateness() -> None:
    def fail() -> None:
        raise ConnectionError("refused")

    with pytest.raises(ConnectionError):
        until_late(fail, 180)
