"""Which item is blamed for the death of its runner."""

from __future__ import annotations

import pickle

from jupyter_mlops.agent.seat import Careful

PART = {"start": 10, "n": 3}


def done(batch: Careful, position: int, value: object) -> None:
    batch.hear("item", {"position": position, "item": f"item {position}"})
    batch.hear("result", {"position": position, "values": pickle.dumps([value]), "errors": [], "n": 1})


def test_an_item_is_blamed_for_its_second_death_and_no_other() -> None:
    batch = Careful(PART, stop_at_error=False)
    done(batch, 0, "a")
    for _ in range(2):
        assert not batch.outcome()["errors"]
        batch.hear("item", {"position": 1, "item": "item 1"})
        batch.died("ProcessEnded: it ended", "")
    assert [(error["index"], error["item"]) for error in batch.outcome()["errors"]] == [(11, "item 1")]
    assert batch.next == 2 and not batch.done
    done(batch, 2, "c")
    assert batch.done
    values = [value for piece in batch.outcome()["pieces"] for value in pickle.loads(piece)]
    assert values == ["a", None, "c"]


def test_runners_that_end_before_an_item_blame_none_at_first() -> None:
    batch = Careful(PART, stop_at_error=False)
    batch.hear("item", {"position": 0, "item": "item 0"})
    batch.died("ProcessEnded: killed", "")
    for _ in range(3):
        batch.died("ProcessEnded: killed before it began", "")
    done(batch, 0, "a")
    assert not batch.outcome()["errors"]


def test_runners_that_never_begin_don_t_go_on_for_ever() -> None:
    batch = Careful(PART, stop_at_error=True)
    deaths = 0
    while not batch.done:
        batch.died("ProcessEnded: it ends at once", "")
        deaths += 1
    assert deaths < 10
    assert batch.outcome()["errors"]
