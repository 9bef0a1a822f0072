"""The pilot ladder: what is said of numbers of workers that were not tried, which one is chosen, and why one dips."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.client.runs.execution.meter import SpeedMeter
from jupyter_mlops.core.choice import Outlook, choose, concluded, fit_of, tells
from jupyter_mlops.core.dip import with_dip
from jupyter_mlops.core.ladder import FEW, MANY, Aim, Ladder, Rung, affordable, rungs_of
from jupyter_mlops.core.scalability import Fit, Law, Tried, best_law, distance, fit

Truth = Callable[[float], float]

#: Ladders of each kind that are simulated.
LADDERS = 40


def linear(chance: random.Random) -> tuple[Truth, float]:
    speed = chance.uniform(0.5, 50)
    return lambda n: speed * n, 0.03


def amdahl(chance: random.Random) -> tuple[Truth, float]:
    speed, serial = chance.uniform(0.5, 50), 10 ** chance.uniform(-3, -0.7)
    return lambda n: speed / (serial + (1 - serial) / n), 0.03


def contention(chance: random.Random) -> tuple[Truth, float]:
    """A queue before one server that all share, a scheduler say, by mean value analysis. It is met at ten workers, at a
    thousand, or between."""
    work = chance.uniform(0.2, 2)
    served = work * 10 ** chance.uniform(-3, -1)

    def rate(n: float) -> float:
        waiting = found = 0.0
        for workers in range(1, round(n) + 1):
            takes = served * (1 + waiting)
            found = workers / (work + takes)
            waiting = found * takes
        return found

    return rate, 0.03


def retrograde(chance: random.Random) -> tuple[Truth, float]:
    law = Law(1 / chance.uniform(0.5, 50))
    bent = Law(law.alone, law.alone * chance.uniform(0, 0.05), law.alone * 10 ** chance.uniform(-4.5, -2.5))
    return bent.rate, 0.03


def noisy(chance: random.Random) -> tuple[Truth, float]:
    return (*amdahl(chance)[:1], 0.1)


def step(chance: random.Random) -> tuple[Truth, float]:
    """A store gives so much and no more."""
    speed, most = chance.uniform(0.5, 50), math.exp(chance.uniform(0, math.log(200)))
    return lambda n: min(speed * n, speed * most), 0.03


TRUTHS = {each.__name__: each for each in (linear, amdahl, contention, retrograde, noisy, step)}


def ladders(kind: str, sizes: tuple[int, ...] = MANY) -> Iterator[tuple[Truth, list[Tried]]]:
    """Seeded ladders of a kind: what is true, and what was measured of it."""
    for seed in range(LADDERS):
        chance = random.Random(f"{kind} {seed}")
        truth, noise = TRUTHS[kind](chance)
        measured = [Tried(n, truth(n) * math.exp(chance.gauss(0, noise)), chance.uniform(0.01, noise)) for n in sizes]
        yield truth, measured


@pytest.mark.parametrize("sizes", [FEW, MANY], ids=["1 to 8", "5 to 50"])
def test_at_twice_the_last_rung_a_forecast_is_off_by_a_tenth_in_the_middle_and_by_30_percent_in_nine_of_ten(
    sizes: tuple[int, ...],
) -> None:
    errors: dict[str, list[float]] = {kind: [] for kind in TRUTHS}
    silent = 0
    for kind, known in errors.items():
        for truth, measured in ladders(kind, sizes):
            found = fit(measured)
            if found is None or tells(found):
                silent += 1
                continue
            known.append(abs(found.rate(found.furthest) / truth(found.furthest) - 1))
    every = sorted(error for known in errors.values() for error in known)
    scores = {kind: (statistics.median(known), known_at(known, 0.9)) for kind, known in errors.items()}
    assert silent <= 0.05 * len(TRUTHS) * LADDERS, "it says something of nearly all"
    assert statistics.median(every) <= 0.10 and known_at(every, 0.9) <= 0.30, scores
    for kind, (middle, high) in scores.items():
        assert middle <= 0.15 and high <= 0.45, (kind, scores)


def known_at(errors: list[float], part: float) -> float:
    """A quantile."""
    return sorted(errors)[int(part * (len(errors) - 1))]


POSITIVE = st.floats(1e-3, 1e3)
#: What a law may have of contention and coherency, and it plus what measurements may be off by.
PARTS = st.tuples(st.floats(0, 0.3), st.floats(0, 0.01))


@given(POSITIVE, PARTS, st.lists(st.floats(-0.2, 0.2), min_size=4, max_size=4), st.tuples(POSITIVE, PARTS))
def test_no_law_without_negative_parameters_is_nearer_than_the_best_and_a_true_one_is_found(
    alone: float, parts: tuple[float, float], off: list[float], other: tuple[float, tuple[float, float]]
) -> None:
    law = Law(alone, alone * parts[0], alone * parts[1])
    exact = [Tried(n, law.rate(n)) for n in MANY]
    found = best_law(exact)
    for n in (1, 20, 100):
        assert found.rate(n) == pytest.approx(law.rate(n), rel=1e-6)
    moved = [Tried(n, law.rate(n) * math.exp(each)) for n, each in zip(MANY, off, strict=True)]
    any_law = Law(other[0], other[0] * other[1][0], other[0] * other[1][1])
    near = distance(best_law(moved), moved)
    assert near <= min(distance(law, moved), distance(any_law, moved)) + 1e-6


def a_fit(law: Law, sizes: tuple[int, ...] = MANY) -> Fit:
    found = fit([Tried(n, law.rate(n), 0.02) for n in sizes])
    assert found is not None and not tells(found)
    return found


def test_it_goes_no_further_than_twice_the_last_rung_and_says_when_it_cannot_tell() -> None:
    found = a_fit(Law(2.0))
    assert found.furthest == 100 and found.rate(100) == pytest.approx(50, rel=0.02)
    low, high = found.band(100)
    assert low <= found.rate(100) <= high and high - low < 0.3 * found.rate(100)
    with pytest.raises(ValueError, match="101 workers"):
        found.rate(101)
    two = fit([Tried(1, 1.0), Tried(2, 2.0)])
    assert two is not None and two.furthest == 2, "two sizes say nothing of a third"
    assert tells(fit([Tried(5, 1.0)])) == "it takes two sizes at least"
    assert tells(None, "another run is there") == "another run is there"
    wild = fit([Tried(5, 5.0), Tried(10, 40.0), Tried(30, 3.0), Tried(50, 90.0)])
    assert "no law explains" in tells(wild)
    unsure = fit([Tried(n, float(n), 0.9) for n in MANY])
    assert "varied too much" in tells(unsure)


OUTLOOKS = st.builds(
    lambda law, items, boot, most: Outlook(a_fit(law), items, 50, boot, 1, most, per_hour=0.1),
    st.builds(lambda b, c: Law(1.0, b, c), st.floats(0, 0.2), st.floats(0, 0.002)),
    st.integers(100, 10**6),
    st.floats(0, 300),
    st.integers(1, 200),
)


@settings(max_examples=30)
@given(OUTLOOKS, st.floats(1, 1e6), st.floats(1, 1e6), st.floats(0.01, 1e4), st.floats(0.01, 1e4))
def test_more_time_is_never_dearer_and_more_money_never_slower(
    outlook: Outlook, one: float, other: float, some: float, more: float
) -> None:
    early, late = (choose(outlook, "by", seconds=each) for each in sorted((one, other)))
    assert early is not None and late is not None and early.workers <= min(outlook.most, 100)
    assert early.amount is not None and late.amount is not None
    if not early.missed:
        assert early.seconds_most <= min(one, other) and not late.missed
        assert late.amount <= early.amount * (1 + 1e-9)
    poor, rich = (choose(outlook, "for", money=each) for each in sorted((some, more)))
    assert poor is not None and rich is not None
    if not poor.missed:
        assert poor.amount_most is not None and poor.amount_most <= min(some, more)
        assert rich.seconds <= poor.seconds * 1.02 + 1e-9, "numbers that are alike by 2 % are the same"


def test_balanced_is_where_a_person_and_the_workers_cost_as_much() -> None:
    """5 h of work of one worker, 120 s of boot: n = √(20 · work / boot), as the sum of both is least there."""
    outlook = Outlook(a_fit(Law(1.0)), 18_000, 0, 120, 1, 100, per_hour=0.05)
    chosen = {aim: choose(outlook, aim) for aim in ("cheapest", "balanced", "fastest")}  # type: ignore[arg-type]
    workers = {aim: choice.workers for aim, choice in chosen.items() if choice is not None}
    assert workers["balanced"] == pytest.approx(math.sqrt(20 * 18_000 / 120), abs=2)
    assert workers["cheapest"] < workers["balanced"] < workers["fastest"] <= 100
    late = choose(outlook, "by", seconds=60)
    assert late is not None and (late.missed, late.workers) == ("time", workers["fastest"])
    dear = choose(outlook, "for", money=0.01)
    assert dear is not None and (dear.missed, dear.workers) == ("money", workers["cheapest"])


def a_rung(workers: int, rate: float, **measured: object) -> Rung:
    known = {"workers": workers, "threads": workers, "present": workers, "items": 1000, "seconds": 10, "item": 0.1}
    return Rung.model_validate({"rate": rate, "spread": 0.02, "slowest": 0.12, **known, **measured})


@pytest.mark.parametrize(
    ("cause", "measured", "told"),
    [
        ("booting", {"present": 5}, "only 5 of 10 workers came in time"),
        ("failures", {"failed": 300}, "300 items of 1,000 raised"),
        ("starved", {"used": 0.5, "starved": 0.6}, "for 60 % of the time no item was there"),
        ("one slow item", {"slowest": 8.0}, "it took 8 s, 80 times as long as others"),
        ("scheduler", {"used": 0.6}, "waited for their next task for 40 % of the time"),
        ("shared", {"item": 0.19}, "an item takes 1.9 times as long as before"),
        ("unknown", {}, "can't be told"),
    ],
)
def test_a_dip_has_a_cause(cause: str, measured: dict[str, object], told: str) -> None:
    before = a_rung(5, 50.0)
    assert with_dip(a_rung(10, 90.0, **measured), before).problem is None, "that is in every law"
    dipped = with_dip(a_rung(10, 55.0, **measured), before)
    assert dipped.cause == cause and dipped.problem is not None
    assert dipped.problem.what == "Each of 10 workers does 45 % less than each of 5"
    assert told in dipped.problem.why and dipped.problem.todo.endswith(".")


def test_rungs_keep_to_the_group_and_to_a_tenth_of_the_money() -> None:
    assert rungs_of(0, 8) == [1, 2, 4, 8] and rungs_of(0, 6) == [1, 2, 4, 6] and rungs_of(3, 16) == [3, 4, 8]
    assert rungs_of(0, 1000) == [5, 10, 30, 50] and rungs_of(0, 40) == [5, 10, 30, 40] and rungs_of(0, 0) == []
    assert rungs_of(20, 1000) == [20, 30, 50]
    assert affordable([5, 10, 30, 50], 1.0, 4.0) == [5, 10, 30], "two thirds of a minute of 50 workers are 0.56"
    assert affordable([5, 10], None, 0.01) == affordable([5, 10], 9.0, None) == [5, 10]


def test_a_ladder_in_words() -> None:
    rungs = [a_rung(n, 10 * n / (1 + 0.05 * (n - 1)), per_hour=0.36 * n, per_million=1e6 / 1e5) for n in FEW]
    rungs = [with_dip(rung, before) for rung, before in zip(rungs, [None, *rungs], strict=False)]
    found = fit_of(rungs)
    assert found is not None
    outlook = Outlook(found, 50_000, 8, 2.0, 0, 16, per_hour=0.36)
    ladder = concluded(Ladder(rungs=rungs, phase="done"), outlook, "balanced")
    assert ladder.contention == pytest.approx(0.05, rel=0.05) and ladder.chosen is not None
    text = str(ladder)
    assert text.splitlines()[0].split() == ["WORKERS", "ITEMS/S", "±", "EACH", "PER", "MILLION"]
    assert "−15 %: unknown" not in text and "forecast" in text
    assert f"Goes on with {ladder.chosen.workers} workers (balanced): about " in text
    assert max(each.workers for each in ladder.forecast) == 16, "no more than the group, and twice the last rung"
    left = concluded(Ladder(rungs=rungs, phase="done"), outlook, None)
    assert left.chosen is None and left.sentence.startswith("to choose from: ")
    for seconds, more in ((2000.0, True), (1000.0, False)):
        usual, on_spot = (
            concluded(Ladder(rungs=rungs, phase="done"), outlook, "by", seconds, on_spot=spot).chosen
            for spot in (False, True)
        )
        assert usual and on_spot and not on_spot.missed
        assert (on_spot.workers > usual.workers) == more, "time to wait for spot, where that can be had"
    told = Ladder(phase="done", why="it takes two sizes at least").sentence
    assert told == "it can't be told which number of workers is best: it takes two sizes at least"
    aims: list[Aim] = ["cheapest", "balanced", "fastest"]
    assert [choice.aim for choice in left.choices] == aims


@pytest.mark.parametrize(
    ("rate", "spread", "slower"), [(9.0, 0.01, True), (9.0, 0.08, False), (9.9, 0.01, False), (12.0, 0.01, False)]
)
def test_a_size_is_slower_only_beyond_what_it_was_measured_to(rate: float, spread: float, slower: bool) -> None:
    before = a_rung(1, 10.0).model_copy(update={"spread": 0.02})
    assert a_rung(2, rate).model_copy(update={"spread": spread}).slower_than(before) == slower


@pytest.mark.parametrize("threads", [1, 4, 50])
@pytest.mark.parametrize("item", [0.004, 0.3, 5.0])
def test_a_meter_reads_the_speed_of_threads_whose_tasks_end_together_or_not(threads: int, item: float) -> None:
    """Threads that each take a task of 0.7 s, or an item of more, at once again; their first one takes twice as
    long."""
    chance = random.Random(threads)
    size = max(1, int(0.7 / item))
    meter = SpeedMeter(threads, cap=10**9)
    ends = []
    for _ in range(threads):
        at = 0.0
        for number in range(60):
            takes = size * item * (2 if number == 0 else chance.uniform(0.95, 1.05))
            at += takes
            ends.append((at, takes))
    ended = None
    for at, takes in sorted(ends):
        meter.take(size, 0, takes, at)
        if ended is None and meter.over(at):
            ended = at + meter.end(at)
        if ended is not None and at > ended:
            break
    rung = meter.rung(threads, threads, 0.0, per_hour=3600.0)
    assert rung is not None and rung.rate == pytest.approx(threads / item, rel=0.05)
    assert rung.item == pytest.approx(item, rel=0.05) and rung.used > 0.95
    assert rung.per_million == pytest.approx(1e6 / rung.rate)
