"""What is said of where a gang's ranks spent their time, from looks at their code."""

from __future__ import annotations

import pytest

from jupyter_mlops.core.price import GB
from jupyter_mlops.core.sizing import GroupUse
from jupyter_mlops.core.whereabouts import GangWhereabouts, RankWhereabouts, advice_on, together

USE = GroupUse(group="default", cpus=4, memory=4 * GB, busy=1.3)


def words(*ranks: dict[str, int], use: GroupUse = USE) -> str:
    where = together({number: RankWhereabouts(**{"looks": 100, **told}) for number, told in enumerate(ranks)})
    return "; ".join(advice.text for advice in advice_on(where, use))


def test_what_all_ranks_spend_in_collectives_is_told_as_what_the_one_spends_that_is_there_least() -> None:
    said = words({"talking": 42}, {"talking": 55})
    assert said.startswith("Each of its ranks spent 42 % of the time or more in collectives, sending, receiving or ")
    assert words({"talking": 29}, {"talking": 35}) == ""


@pytest.mark.parametrize(
    ("talking", "said"),
    [
        ((60, 5), "For up to 60 % of the time the other one waited in collectives for rank 1"),
        ((60, 3, 58, 57, 5), "For up to 60 % of the time others waited in collectives for ranks 1 and 4"),
        ((60, 3, 5), ""),  # most of them are not waited for
    ],
)
def test_ranks_that_the_others_wait_for_are_named(talking: tuple[int, ...], said: str) -> None:
    assert words(*({"talking": each} for each in talking)).partition(":")[0] == said


def test_data_that_comes_too_late_is_told_with_what_the_workers_have_to_spare() -> None:
    full = USE.model_copy(update={"busy": 3.9})
    loading, reading = [{"loading": 60}] * 2, [{"reading": 40}] * 2
    assert words(*loading) == (
        "Its ranks waited for the processes of their DataLoader for 60 % of the time, on workers that used 1.3 of "
        "4 CPUs at most: more of these processes (num_workers), or files that are nearer, may be faster"
    )
    assert "and all CPUs were used: workers with more, or data" in words(*loading, use=full)
    assert "made their batches themselves for 40 % of the time, on workers that used 1.3" in words(*reading)
    assert words(*reading, use=full).endswith("data that is prepared beforehand may be faster")
    late = words({"loading": 80}, {"talking": 75})  # the other one waits for that rank's data
    assert late.startswith("Its ranks waited for the processes of their DataLoader for 40 %") and ";" not in late


def test_nothing_is_said_where_nobody_can_know() -> None:
    assert words({"talking": 90, "blind": 3}, {"talking": 90}) == ""
    assert words({"talking": 50, "looks": 59}, {"talking": 90}) == ""
    assert words({"talking": 90}, {"looks": 0}) == "" and together({}) is None
    assert words({"talking": 90}) == ""  # alone it waits for nobody
    assert advice_on(GangWhereabouts(ranks=2, looks=100, talking=0.9), None) == []


def test_evidence_and_confidence() -> None:
    where = GangWhereabouts(ranks=2, looks=312, talking=0.4, talking_most=0.5, loading=0.31)
    data, talk = advice_on(where, USE)
    assert data.evidence == talk.evidence and (data.kind, data.confidence) == ("waits", "high")
    assert data.evidence == (
        "The Python code of each of 2 ranks was looked at about once a second, 312 times at least: waiting for a "
        "DataLoader 31 %, making batches 0 % and in collectives 40 % to 50 %. Confidence: high"
    )
    (blind,) = advice_on(where.model_copy(update={"blind": True, "looks": 99}), USE)
    assert "in collectives: nobody can say" in blind.evidence and blind.confidence == "fair"
    assert (blind.cpus, blind.memory, blind.saving) == (4, 4 * GB, None)
