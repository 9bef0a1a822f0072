"""Intervals that hold however often one looks: by simulation, and what is true of any values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.core.candidate import Candidate, Way
from jupyter_mlops.core.compared import ALPHA, comparisons, decided, harms, unwaited
from jupyter_mlops.core.evidence import ArmEvidence, Evidence, LabelledArms, LabelledMetric, LabelPace, Stretch
from jupyter_mlops.core.foresight import Foresight
from jupyter_mlops.core.sequence import ArmSums, difference, half_width, share_interval, time_until, yes
from jupyter_mlops.core.window import FeatureCounts
from jupyter_mlops.serving.arm import Chooser

#: Simulated experiments, requests of each, and between two looks.
MANY, REQUESTS, EVERY = 400, 10_000, 200


def peeked(before: float, after: float, share: float, alpha: float, seed: int) -> list[int]:
    """After how many requests whoever looks all the time finds a difference: for each experiment in which they do."""
    rng, found = np.random.default_rng(seed), []
    at = np.arange(EVERY, REQUESTS + 1, EVERY) - 1
    for _ in range(MANY):
        second = rng.random(REQUESTS) < share
        is_so = rng.random(REQUESTS) < np.where(second, after, before)
        numbers, others = np.cumsum(second)[at], np.cumsum(~second)[at]
        totals, rest = np.cumsum(second & is_so)[at], np.cumsum(~second & is_so)[at]
        for n, m, x, y, asked in zip(numbers, others, totals, rest, at, strict=True):
            told = difference([(yes(int(y), int(m)), yes(int(x), int(n)))], alpha, binary=True)
            if told is not None and (told.low > 0 or told.high < 0):
                found.append(int(asked) + 1)
                break
    return found


@pytest.mark.parametrize("rate", [0.002, 0.02, 0.1, 0.5])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_who_looks_all_the_time_is_wrong_as_seldom_as_promised(rate: float, share: float) -> None:
    assert len(peeked(rate, rate, share, 0.05, 1)) <= 0.05 * MANY


def test_a_difference_is_found_and_the_larger_one_sooner() -> None:
    small, large = peeked(0.1, 0.15, 0.1, 0.05, 2), peeked(0.1, 0.3, 0.1, 0.05, 2)
    assert len(small) > 0.8 * MANY and len(large) == MANY
    assert np.median(small) < 7_000 and np.median(large) <= 1_200


def test_values_that_are_no_yes_or_no_have_an_interval_that_holds() -> None:
    rng, wrong = np.random.default_rng(3), 0
    for _ in range(MANY):
        logs = rng.normal(0, 1, (2, 5000))
        sums, squares = np.cumsum(logs, axis=1), np.cumsum(logs * logs, axis=1)
        for at in range(99, 5000, 100):
            one, other = (ArmSums(number=at + 1, total=sums[arm, at], squares=squares[arm, at]) for arm in (0, 1))
            told = difference([(one, other)], 0.05)
            if told is not None and not told.low <= 0 <= told.high:
                wrong += 1
                break
    assert wrong <= 0.05 * MANY


def test_a_share_that_changes_with_what_is_asked_shows_no_difference_that_is_not_there() -> None:
    """All together, 5 % of quiet hours and 50 % of bad ones would."""
    quiet, bad = (yes(95, 9_500), yes(5, 500)), (yes(1_000, 5_000), yes(1_000, 5_000))
    told = difference([quiet, bad], 0.01, binary=True)
    assert told is not None and told.low < 0 < told.high
    whole = difference([(quiet[0].plus(bad[0]), quiet[1].plus(bad[1]))], 0.01, binary=True)
    assert whole is not None and whole.low > 0


@given(number=st.integers(0, 300), more=st.integers(0, 300), alpha=st.floats(1e-6, 0.2))
def test_an_exact_interval_has_what_was_seen_and_is_wider_the_surer_it_is(number: int, more: int, alpha: float) -> None:
    of = number + more
    low, high = share_interval(number, of, alpha)
    assert 0 <= low <= high <= 1
    if of:
        assert low <= number / of <= high
        surer = share_interval(number, of, alpha / 10)
        assert surer[0] <= low + 1e-9 and surer[1] >= high - 1e-9
        swapped = share_interval(more, of, alpha)
        assert swapped == pytest.approx((1 - high, 1 - low), abs=1e-6)


@given(unit=st.floats(1e-6, 1e3), alpha=st.floats(1e-6, 0.2), half=st.floats(0.001, 1.0))
def test_the_time_that_is_told_is_the_one_at_which_it_is_so_narrow(unit: float, alpha: float, half: float) -> None:
    time = time_until(half, unit, alpha)
    assert half_width(time, unit, alpha) <= half * 1.001
    assert time <= 2 or half_width(time * 0.98, unit, alpha) >= half * 0.999


@given(
    one=st.tuples(st.integers(0, 500), st.integers(0, 500)), other=st.tuples(st.integers(0, 500), st.integers(0, 500))
)
def test_the_other_way_round_a_difference_is_the_opposite(one: tuple[int, int], other: tuple[int, int]) -> None:
    pair = yes(one[0], sum(one)), yes(other[0], sum(other))
    told, back = difference([pair], 0.01, binary=True), difference([pair[::-1]], 0.01, binary=True)
    assert (told is None) == (back is None)
    if told is not None and back is not None:
        assert (told.value, told.low, told.high) == pytest.approx((-back.value, -back.high, -back.low))


# Who gets a candidate.


@given(salt=st.text(max_size=20), share=st.floats(0, 1), more=st.floats(0, 1), keys=st.lists(st.text(), max_size=50))
def test_who_was_in_stays_in_when_the_share_is_raised(salt: str, share: float, more: float, keys: list[str]) -> None:
    small, large = sorted((share, more))
    before, after = (Chooser(Candidate(version=2, digest="d", salt=salt, share=each)) for each in (small, large))
    assert all(after(key) for key in keys if before(key))
    none, all_ = (Chooser(Candidate(version=2, digest="d", salt=salt, share=each)) for each in (0.0, 1.0))
    assert not any(map(none, keys)) and all(map(all_, keys))


@pytest.mark.parametrize("name", ["customer {}", "0f3a9c21d4e5-{:x}", "{}"])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.25, 0.5])
def test_the_share_is_exact_and_another_experiment_has_others(name: str, share: float) -> None:
    keys = [name.format(number) for number in range(40_000)]
    first, second = (Chooser(Candidate(version=2, digest="d", salt=salt, share=share)) for salt in ("a1", "b2"))
    chosen, again = [key for key in keys if first(key)], [key for key in keys if second(key)]
    assert abs(len(chosen) / len(keys) - share) < 0.01
    both = len(set(chosen) & set(again))
    assert abs(both / len(keys) - share * share) < 0.01


# What comes of what both answered.


def seen(stable: ArmEvidence, candidate: ArmEvidence, number: int = 1) -> Evidence:
    return Evidence(salt="s", number=number, share=0.5, since=1.0, stable=stable, candidate=candidate)


def arm(requests: int, failed: int = 0, usual: float = 0.005, answers: list[int] | None = None) -> ArmEvidence:
    """One with requests that take about so many seconds; `answers` are counts in bins."""
    told = ArmEvidence(requests=requests, failed=failed)
    fine = requests - failed
    mean = float(np.log(usual))
    told.times = ArmSums(number=fine, total=mean * fine, squares=(mean * mean + 0.25) * fine)
    parts = [fine // 4] * 4 if answers is None else answers
    told.answers = FeatureCounts(name="s/1", counts=parts, low=0, high=1)
    return told


def states(evidence: Evidence, metric: LabelledMetric | None = None, way: Way = "canary") -> dict[str, str]:
    return {each.name: each.state for each in comparisons(way, evidence, metric or LabelledMetric(), 10.0)}


def test_a_candidate_that_is_as_good_is_decided_and_one_without_data_holds() -> None:
    good = seen(arm(5000, 5), arm(5000, 6))
    assert set(states(good).values()) == {"same"} and decided(comparisons("canary", good, LabelledMetric(), 10.0))
    for nothing in (seen(arm(5000), ArmEvidence()), seen(ArmEvidence(), arm(5000)), Evidence()):
        found = comparisons("canary", nothing, LabelledMetric(), None)
        assert {each.state for each in found} == {"no data"} and not decided(found) and not harms("canary", found)
    few = comparisons("canary", seen(arm(5000), arm(50)), LabelledMetric(), 10.0)
    assert not decided(few) and not harms("canary", few)
    needs, seconds = Foresight().left(few, 5050, 10.0)
    assert needs and seconds and needs > 1000 and "needs about" in few[0].words


@pytest.mark.parametrize(
    ("worse", "name"),
    [
        (arm(1000, 100), "errors"),
        (arm(6, 6, answers=[0] * 4), "errors"),
        (arm(1000, usual=0.05), "latency"),
        (arm(1000, answers=[1000, 0, 0, 0]), "answers"),
    ],
)
def test_what_is_worse_takes_a_canary_back(worse: ArmEvidence, name: str) -> None:
    assert worse.answers is not None
    if name == "answers":
        worse.answers.counts = [700, 100, 100, 100]
    found = comparisons("canary", seen(arm(5000, 5), worse), LabelledMetric(), 10.0)
    assert [each.name for each in harms("canary", found)] == [name]
    assert bool(harms("ab", found)) == (name == "errors") and not harms("shadow", found)


def test_who_is_rarely_asked_may_be_slower_by_that_alone() -> None:
    slow, slower = arm(1000, usual=0.027), arm(1000, usual=0.06)
    for share, worse, told in ((0.05, slow, "same"), (0.05, slower, "worse"), (0.25, slow, "worse")):
        evidence = seen(arm(5000, usual=0.015), worse)
        evidence.share = share
        assert states(evidence)["latency"] == told


def test_missing_and_constant_answers_take_any_back_but_a_shadow() -> None:
    gone = arm(1000)
    assert gone.answers is not None
    gone.answers.missing = 500
    assert states(seen(arm(5000), gone))["missing"] == "worse"
    same = arm(1000)
    same.answers = FeatureCounts(name="s/1", counts=[1000, 0, 0, 0], low=0.5, high=0.5)
    found = comparisons("ab", seen(arm(5000), same), LabelledMetric(), 10.0)
    assert [each.name for each in harms("ab", found)] == ["constant"] and not harms("shadow", found)


def labelled(stable: tuple[int, int], candidate: tuple[int, int]) -> LabelledMetric:
    """By labels that come an hour later, four in a second."""
    pair = LabelledArms(stable=yes(*stable), candidate=yes(*candidate))
    pace = LabelPace(rate=4.0, delay=3600.0)
    return LabelledMetric(name="accuracy", used=True, pace=pace, stretches=[pair])


def test_labels_decide_where_there_are_any() -> None:
    good = seen(arm(5000, 5), arm(5000, 6))
    found = comparisons("canary", good, labelled((4500, 5000), (4000, 5000)), 10.0)
    assert [each.name for each in harms("canary", found)] == ["accuracy"]
    assert [each.name for each in harms("ab", found)] == [], "that is what the test is to tell"
    assert states(good, labelled((4500, 5000), (4700, 5000)))["accuracy"] == "better"
    none = comparisons("canary", good, labelled((0, 0), (0, 0)), 10.0)
    assert none[-1].state == "no data" and not decided(none), "somebody labels this service, and hasn't yet"
    assert none[-1].words == "no labels yet; labels take about 60 min" and none[-1].needs and unwaited(none) == []
    few = comparisons("canary", good, labelled((90, 100), (85, 100)), 10.0)
    assert few[-1].state == "undecided" and few[-1].needs and not decided(few)
    other = arm(1000)
    assert other.answers is not None
    other.answers.counts = [700, 100, 100, 100]
    shifted = seen(arm(5000), other)
    assert harms("canary", comparisons("canary", shifted, LabelledMetric(), 10.0))
    proven = comparisons("canary", shifted, labelled((4500, 5000), (4700, 5000)), 10.0)
    assert not harms("canary", proven) and decided(proven), "others than before, and better"


DAY = 86400.0


@pytest.mark.parametrize(
    ("pace", "labels", "passed", "words"),
    [
        (LabelPace(rate=4.0, delay=2 * DAY), 0, 0.0, "no labels yet; labels take about 2 days, not waited for"),
        (LabelPace(rate=4.0, delay=DAY / 2), 0, 0.0, ""),
        (LabelPace(rate=4.0, delay=DAY / 2), 0, 4.1 * DAY, "no labels yet; labels take about 12 h, not waited for"),
        (LabelPace(), 0, 0.0, "no labels yet, and none came lately, not waited for"),
        (LabelPace(), 50, 0.0, "undecided, and no labels came lately, not waited for"),
        (LabelPace(rate=1.0, delay=60.0), 50, 0.0, ""),
        (LabelPace(rate=0.001, delay=60.0), 50, 0.0, "not waited for"),
    ],
)
def test_a_canary_waits_for_labels_that_come_soon_and_says_for_which_it_does_not(
    pace: LabelPace, labels: int, passed: float, words: str
) -> None:
    evidence = seen(arm(5000, 5), arm(5000, 6))
    evidence.stretches = [Stretch(since=10.0)]
    pair = LabelledArms(stable=yes(labels * 8 // 10, labels), candidate=yes(labels * 8 // 10, labels))
    metric = LabelledMetric(name="accuracy", used=True, pace=pace, stretches=[pair])
    for way in ("canary", "ab"):
        found = comparisons(way, evidence, metric, 10.0, now=10.0 + passed)  # type: ignore[arg-type]  # of two ways
        assert found[-1].state == ("undecided" if labels else "no data")
        if way == "ab" or not words:
            assert unwaited(found) == [] and not decided(found), "who tests waits, or decides"
        else:
            assert unwaited(found)[0].endswith(words) and decided(found)
            assert Foresight().left(found, 10_000, 10.0) == (0, 0.0)
    worse = LabelledArms(stable=yes(4500, 5000), candidate=yes(4000, 5000))
    late = comparisons("canary", evidence, metric.model_copy(update={"stretches": [worse]}), 10.0, now=10.0 + passed)
    assert [each.name for each in harms("canary", late)] == ["accuracy"], "waited for or not"


def tried_with_labels(seed: int, delay: float, wrong: float) -> tuple[str, float, list[str]]:
    """What becomes of a canary that is wrong so much more often, when, and what wasn't waited for: two requests in a
    second, of which one in ten is logged and labelled, looked at every ten minutes for two weeks."""
    rng, share, rows = np.random.default_rng(seed), 0.5, list[tuple[float, int, int]]()
    evidence = Evidence(salt="s").next(share, 0.0)
    for each in (evidence.stable, evidence.candidate):
        each.answers = FeatureCounts(name="s", low=0, high=1)
    foresight, told = Foresight(), list[str]()
    for look in range(1, 14 * 144):
        now, good = look * 600.0, arm(600)
        assert good.answers is not None
        for at, each in enumerate((evidence.stable, evidence.candidate)):
            each.requests, each.times = each.requests + 600, each.times.plus(good.times)
            assert each.answers is not None
            each.answers = each.answers.plus(good.answers)
            rows.append((now + delay, at, int(rng.binomial(60, 0.85 - wrong * at))))
        come = [[right for due, of, right in rows if of == at and due <= now] for at in (0, 1)]
        one, other = (yes(sum(rights), 60 * len(rights)) for rights in come)
        pace = LabelPace(rate=0.2, delay=delay)
        pair = LabelledArms(stable=one, candidate=other)
        metric = LabelledMetric(name="accuracy", used=True, pace=pace, stretches=[pair])
        found = comparisons("canary", evidence, metric, 2.0, foresight, now=now)
        told = unwaited(found)
        if harms("canary", found):
            return "back", now, told
        if decided(found):
            return "on", now, told
    return "hold", 0.0, told


def test_labels_that_come_soon_decide_and_those_that_come_late_hold_nothing_up() -> None:
    for seed in range(5):
        what, when, told = tried_with_labels(seed, 3600.0, 0.15)
        assert what == "back" and when < DAY, "labels of an hour ago say so"
        what, when, told = tried_with_labels(seed, 2.5 * DAY, 0.0)
        assert (
            what == "on"
            and when < 0.5 * DAY
            and told == ["accuracy: no labels yet; labels take about 3 days, not waited for"]
        )
        what, when, _ = tried_with_labels(seed, 3600.0, -0.1)
        assert what == "on" and 3600 < when < 3 * DAY, "it was waited for"


def test_experiments_in_which_nothing_differs_are_wrong_in_less_than_5_of_100() -> None:
    """All comparisons together, looked at all the time, through three shares."""
    rng, wrong = np.random.default_rng(5), 0
    for _ in range(MANY // 2):
        bad = False
        for number, share in enumerate((0.05, 0.25, 0.5), start=1):
            evidence = seen(ArmEvidence(), ArmEvidence(), number)
            for each in (evidence.stable, evidence.candidate):
                each.answers = FeatureCounts(name="s", low=0, high=1)
            for _ in range(12):
                for one, part in ((evidence.stable, 1 - share), (evidence.candidate, share)):
                    n = int(rng.binomial(400, part))
                    failed = int(rng.binomial(n, 0.02))
                    logs = rng.normal(-5, 0.7, n - failed)
                    one.requests += n
                    one.failed += failed
                    one.times = one.times.plus(ArmSums(number=len(logs), total=logs.sum(), squares=(logs * logs).sum()))
                    parts = rng.multinomial(n - failed, [0.25] * 4).tolist()
                    missing = int(rng.binomial(n, 0.01))
                    assert one.answers is not None
                    one.answers = one.answers.plus(FeatureCounts(name="s", counts=parts, missing=missing))
                found = comparisons("canary", evidence, LabelledMetric(), 10.0)
                bad = bad or any(each.state in ("worse", "better") for each in found)
        wrong += bad
    assert wrong <= ALPHA * MANY / 2


@settings(max_examples=60)
@given(
    counts=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=1, max_size=30),
    failed=st.tuples(st.integers(0, 50), st.integers(0, 50)),
    missing=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
)
def test_whatever_was_counted_something_is_said(
    counts: list[tuple[int, int]], failed: tuple[int, int], missing: tuple[int, int]
) -> None:
    arms = [
        ArmEvidence(
            requests=100,
            failed=failed[at],
            times=ArmSums(number=100 - failed[at], total=-5.0, squares=30.0),
            answers=FeatureCounts(name="s", counts=[each[at] for each in counts], missing=missing[at]),
        )
        for at in (0, 1)
    ]
    ways: tuple[Way, ...] = ("canary", "ab", "shadow")
    for way in ways:
        found = comparisons(way, seen(arms[0], arms[1]), LabelledMetric(name="rmse", binary=False, used=True), 0.0)
        assert all(each.state for each in found)
        Foresight().left(found, 100, 0.0), decided(found), harms(way, found)


def test_labels_of_a_share_that_is_counted_anew_are_not_lost() -> None:
    evidence = Evidence(salt="s").next(0.05, 100.0)
    for again in range(200):  # the labels of the first requests come after all of that
        evidence = evidence.next(0.05, 200.0 + again)
    assert (evidence.number, [(each.since, each.until) for each in evidence.stretches]) == (201, [(100.0, 0)])
    after = evidence.next(0.25, 500.0)
    assert [(each.since, each.until) for each in after.stretches] == [(100.0, 500.0), (500.0, 0)]
