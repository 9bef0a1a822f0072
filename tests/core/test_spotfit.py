"""Whether a run's work is fit for spot, with its figures."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.run import Checkpoint, RunState
from jupyter_mlops.core.sizing import GroupUse
from jupyter_mlops.core.spotfit import TAKEN, twice


def run(spot: bool | None = False, **facts: Any) -> RunState:
    known = {"kind": "map", "phase": "done", "busy": 1200.0, "done": 100}
    return RunState(
        id="0123456789ab", name="a", cluster="c", owner="me", created=1.0,
        use=[GroupUse(group="default", cpus=1, memory=10**9, spot=spot)], **known | facts,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "fitness", "text"),
    [
        ({}, "fit", "Fit for spot: an item takes 12 s, so that less than 1 % of the work is done twice"),
        (
            {"options": {"keep": True}},
            "with care",
            "Fit for spot with care: an item takes 12 s, so that less than 1 % of the work is done twice, and what is "
            "kept on workers is computed again when one is taken",
        ),
        ({"kind": "sweep", "done": 1}, "with care", "Fit for spot with care: a trial takes 20 min, so that about 2 %"),
        (
            {"busy": 3 * 3600.0, "done": 1},
            "not yet",
            "Not yet fit for spot: an item takes 3 h, so that about 21 % of the work is done twice; "
            "split each in 19, or save a checkpoint every 21 min 50 s",
        ),
        ({"kind": "cell", "busy": 60.0}, "fit", "Fit for spot: the run takes 1 min"),
        ({"kind": "gang", "options": {"gang": 4}}, "not yet", "Not yet fit for spot: with one machine all ranks begin"),
        (
            {"kind": "gang", "options": {"gang": 4}, "checkpoint": Checkpoint(step=1, time=1.0)},
            "with care",
            "Fit for spot with care: its ranks begin again from the newest checkpoint; one every 11 min",
        ),
    ],
    ids=["short items", "kept", "trials", "long items", "a cell", "a gang", "a gang with checkpoints"],
)
def test_it_says_what_would_be_done_twice(facts: dict[str, Any], fitness: str, text: str) -> None:
    found = run(**facts).spot_fit
    assert found is not None and found.fitness == fitness and found.text.startswith(text)
    assert "taken away once in 8 h" in found.evidence


def test_it_says_how_errors_are_tried_again() -> None:
    found = run(options={"retries": 2}).spot_fit
    assert found is not None and found.evidence.endswith(
        "begins anew, up to 3 times; its own errors are tried 2 times more"
    )


@pytest.mark.parametrize("facts", [{"spot": True}, {"spot": None}, {"phase": "failed"}, {"done": 0}])
def test_it_says_nothing_of_work_on_spot_or_that_is_not_done(facts: dict[str, Any]) -> None:
    assert run(**facts).spot_fit is None


@given(st.floats(1, 100 * TAKEN), st.floats(1, 100 * TAKEN))
def test_longer_pieces_are_done_twice_more_often(some: float, more: float) -> None:
    assert twice(some) > 0 and (twice(some) <= twice(some + more))
