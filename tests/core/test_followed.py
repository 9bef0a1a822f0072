"""What was promised of a profile that follows advice, and what is measured since."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.core.bill import Bill, BilledRun
from jupyter_mlops.core.followed import NEEDED, followed
from jupyter_mlops.core.price import Cost
from jupyter_mlops.core.profile import Group, Profile, Promised

SIZED = Profile(
    name="small",
    groups=[Group()],
    promise=Promised(run="resize", owner="ada", profile="large", saving=0.62, since=100),
)


def bills(profile: str, amounts: list[float], currency: str = "USD", **more: Any) -> list[Bill]:
    """A cluster for each amount, with a run of a thousand items that cost all of it."""
    facts = {"name": "resize", "kind": "map", "owner": "ada", "created": 100, "items": 1000} | more
    return [
        Bill(
            id=f"{profile}-{number}",
            name=profile,
            place="local",
            owner="ada",
            profile=profile,
            created=1,
            cost=Cost(amount=amount, currency=currency),
            runs=[BilledRun(id=str(number), amount=amount / 2, **facts)],
        )
        for number, amount in enumerate(amounts)
    ]


BEFORE = bills("large", [4.0, 4.2, 4.1])


def test_the_measured_saving_stands_beside_the_promised_one() -> None:
    (told,) = followed(
        [*BEFORE, *bills("small", [1.8, 1.9, 1.9, 1.8])], [SIZED, Profile(name="large", groups=[Group()])]
    )
    assert told.promised == 0.62 and told.measured == pytest.approx(1 - 1.85 / 4.1)
    assert told.sentence == (
        "small (advice of resize): −62 % promised, −55 % measured: "
        "a million items $4,100.00 → $1,850.00, 3 runs before and 4 since"
    )
    (loss,) = followed([*bills("large", [2.0] * 3, items=0), *bills("small", [3.0] * 3)], [SIZED])
    assert "+50 % measured: a run $2.00 → $3.00" in loss.sentence, "where some have no items, runs are compared"


@pytest.mark.parametrize(
    "since",
    [
        bills("small", [1.0] * (NEEDED - 1)),
        bills("small", [1.0] * 9, name="other"),
        bills("small", [1.0] * 9, owner="bob"),
        bills("small", [1.0] * 9, phase="failed"),
        bills("small", [1.0] * 9, lacks=True),
        bills("small", [1.0] * 9, created=99),
        bills("other", [1.0] * 9),
        bills("small", [1.0] * 9, "EUR"),
    ],
    ids=["too few", "another name", "another owner", "failed", "unpriced", "earlier", "another profile", "other money"],
)
def test_nothing_is_claimed_of_runs_that_are_too_few_or_others(since: list[Bill]) -> None:
    for told in followed([*BEFORE, *since], [SIZED]):
        assert told.measured is None
        assert f"−62 % promised, measured once there are {NEEDED} runs with a price on either side" in told.sentence


def test_a_cluster_s_advice_is_about_all_runs_and_one_without_a_price_promised_nothing() -> None:
    promise = Promised(profile="large", since=0)
    (told,) = followed(BEFORE, [SIZED.model_copy(update={"promise": promise})])
    assert told.sentence.startswith("small: no saving promised") and told.before.runs == 3
    assert [each.before.runs for each in followed([], [SIZED])] == [0]
