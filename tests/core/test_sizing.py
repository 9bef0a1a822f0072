"""Which workers would have done for a run, from what it used."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jupyter_mlops.core.price import GB, Price
from jupyter_mlops.core.run import RunState
from jupyter_mlops.core.sizing import LEAST, GroupUse, WorkerUse, advice_of, enough_memory, together

PRICED = Price(cpu_hour=0.03, gb_hour=0.004)

USES = st.builds(
    GroupUse,
    group=st.just("default"),
    cpus=st.sampled_from([0.5, 1, 2, 4, 16, 64]),
    memory=st.integers(10**8, 10**12),
    gpus=st.integers(0, 2),
    rates=st.sampled_from([Price(), PRICED, Price(cpu_hour=0.03), PRICED.model_copy(update={"gpu_hour": 0.9})]),
    workers=st.integers(1, 1000),
    seconds=st.floats(0, 1e6),
    peak=st.integers(0, 10**12),
    own_peak=st.integers(0, 10**12),
    busy=st.floats(0, 100),
    at_once=st.integers(1, 64),
    out=st.integers(0, 3),
)


def use(**changed: object) -> GroupUse:
    """One CPU and a gigabyte of four were in use."""
    known = {"cpus": 4, "memory": 4 * GB, "seconds": 90, "workers": 2, "peak": 1.1 * GB, "own_peak": 0.2 * GB}
    return GroupUse.model_validate({"group": "default", "busy": 0.9, **known, **changed})


def words(**changed: object) -> str:
    return "; ".join(advice.text for advice in advice_of([use(**changed)]))


def test_it_says_what_was_used_what_would_have_done_and_what_it_saves() -> None:
    used = "Its workers used at most 1.1 GB of 4.0 GB and 0.9 of 4 CPUs: a group of 1 CPU and 1.5 GB would have done"
    assert words() == used
    assert words(rates=PRICED) == f"{used}, about −74 %"
    (advice,) = advice_of([use(at_once=2)])
    assert (advice.cpus, advice.memory, advice.saving) == (2, 1.5 * GB, None)
    assert advice.evidence.startswith("Measured for 1 min 30 s on 2 workers of 'default': ")
    assert advice.evidence.endswith("; 2 tasks at once, with a CPU each. Confidence: low, seen in 1 run")
    assert words(cpus=0.5) == (
        "Its workers used at most 1.1 GB of 4.0 GB and 0.9 CPUs (0.5 asked for): "
        "a group of 0.5 CPUs and 1.5 GB would have done"
    )


@pytest.mark.parametrize(
    ("own_peak", "said"),
    [
        (2.9, "up to 72 % full, and beyond 70 % one writes data to disk: a group with 5.0 GB"),
        (3.4, "up to 85 % full, and beyond 80 % one takes no new tasks: a group with 5.0 GB"),
    ],
)
def test_where_dask_was_slowed_down_by_full_memory_it_says_more(own_peak: float, said: str) -> None:
    assert words(own_peak=own_peak * GB, peak=own_peak * GB) == f"Its workers were {said} would spare that"
    assert words(own_peak=own_peak * GB, seconds=LEAST - 1) == ""


def test_a_cluster_is_told_what_does_for_all_its_runs_and_how_sure_that_is() -> None:
    small, large = use(), use(busy=1.9, peak=1.5 * GB, rates=PRICED, workers=5)
    (both,) = together([[small], [large]])
    assert (both.busy, both.peak, both.workers, both.runs) == (1.9, 1.5 * GB, 5, 2) and both.rates == PRICED
    (advice,) = advice_of([both])
    assert (advice.cpus, advice.memory, advice.confidence) == (2, 2 * GB, "fair")
    (three,) = together([[both], [small]])
    assert advice_of([three])[0].evidence.endswith("Confidence: high, seen in 3 runs")


@pytest.mark.parametrize(
    "changed",
    [
        {"seconds": LEAST - 1},
        {"busy": 3.3, "peak": 2.9 * GB},
        {"at_once": 4, "own_peak": 2.4 * GB},
        {"busy": 3.9, "peak": 2.1 * GB, "rates": PRICED},
    ],
    ids=["too short", "all is used", "tasks need their CPUs, and Dask its memory", "it saves next to nothing"],
)
def test_it_says_nothing_where_nothing_is_to_be_said(changed: dict[str, object]) -> None:
    assert words(**changed) == ""


def test_where_memory_ran_out_it_says_more_also_of_a_run_that_failed_soon() -> None:
    text = "Memory ran out on its workers, which have 4.0 GB: try a group with 6.0 GB"
    assert words(out=2, seconds=3) == text
    run = RunState(
        id="0123456789ab", name="a", kind="map", cluster="b", owner="c", created=1.0, use=[use(out=1), use()]
    )
    told = {phase: run.model_copy(update={"phase": phase}).advice for phase in ("running", "failed", "done")}
    assert [len(told[phase]) for phase in ("running", "failed", "done")] == [0, 1, 2]
    assert told["failed"][0].text == text


@given(USES)
def test_what_is_advised_is_less_and_enough(used: GroupUse) -> None:
    for advice in advice_of([used]):
        if advice.kind == "more memory":
            assert advice.cpus == used.cpus and advice.memory > used.memory and advice.saving is None
            assert advice.memory >= 1.5 * used.memory if used.out else used.own_peak <= 0.7 * advice.memory
            continue
        assert not used.out and used.seconds >= LEAST
        assert 0 < advice.cpus <= used.cpus and advice.memory <= used.memory
        assert (advice.cpus, advice.memory) != (used.cpus, used.memory)
        assert advice.cpus == used.cpus or advice.cpus >= max(used.at_once, math.floor(used.busy))
        assert advice.memory == used.memory or (
            used.peak <= 0.8 * advice.memory and used.own_peak <= 0.7 * advice.memory
        )
        assert advice.saving is None or 0.1 <= advice.saving < 1


@given(USES, st.integers(0, 10**12))
def test_more_use_never_makes_less_do(used: GroupUse, more: int) -> None:
    assert enough_memory(used.model_copy(update={"peak": used.peak + more})) >= enough_memory(used)


@given(USES, st.floats(1.01, 10))
def test_a_run_on_the_workers_that_were_advised_is_told_nothing_more(used: GroupUse, seconds: float) -> None:
    assume(not used.out and used.own_peak <= 0.7 * used.memory)
    for advice in advice_of([used]):
        assert advice_of([used.model_copy(update={"cpus": advice.cpus, "memory": advice.memory})]) == []


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 10**10), st.floats(0, 100)), max_size=9))
def test_of_several_workers_the_most_counts_and_each_tells_all_of_its_own(told: list[tuple[int, int, float]]) -> None:
    found, before = GroupUse(group="default", cpus=4, memory=10**9), dict[int, WorkerUse]()
    for worker, peak, seconds in told:
        news = WorkerUse(peak=peak, cpu_seconds=seconds)
        found, before[worker] = found.with_worker(news, before.get(worker)), news
    assert found.workers == len(before)
    assert found.peak == max((peak for _, peak, _ in told), default=0)
    assert found.cpu_seconds == pytest.approx(sum(each.cpu_seconds for each in before.values()))
