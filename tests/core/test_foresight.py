"""How long an experiment is said to take: it is about right, and doesn't jump from look to look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_mlops.core.candidate import Comparison
from jupyter_mlops.core.compared import comparisons, decided
from jupyter_mlops.core.evidence import ArmEvidence, Evidence, LabelledArms, LabelledMetric
from jupyter_mlops.core.foresight import Foresight, growth
from jupyter_mlops.core.sequence import ArmSums, difference, yes
from jupyter_mlops.core.window import FeatureCounts

#: Requests in a second; those before anything that is said counts; and how much it may jump then.
RATE, FIRST, JUMP = 10.0, 300, 1.5


class Said(NamedTuple):
    """What was said at a look, after so many requests."""

    asked: int
    needs: int | None
    seconds: float | None
    each: dict[str, tuple[str, int | None]]


def experiment(
    seed: int, share: float, failing: float, longer: float, spread: float, step: int, most: int = 6000
) -> Iterator[Said]:
    """What is said look after look, `step` requests apart, until all is decided.

    Parameters
    ----------
    failing : the part of requests that fails, of both versions.
    longer, spread : what the candidate's logarithms of seconds are more, and their standard deviation.
    """
    rng = np.random.default_rng(seed)
    evidence = Evidence(salt="s", number=1, share=share, since=1.0)
    for arm in (evidence.stable, evidence.candidate):
        arm.answers = FeatureCounts(name="s/1", counts=[0] * 4, low=0, high=1)
    foresight, asked = Foresight(), 0
    while asked < most:
        candidates = int(rng.binomial(step, share))
        for arm, number, more in (
            (evidence.stable, step - candidates, 0.0),
            (evidence.candidate, candidates, longer),
        ):
            failed = int(rng.binomial(number, failing))
            logs = rng.normal(more - 5, spread, number - failed)
            arm.requests, arm.failed = arm.requests + number, arm.failed + failed
            sums = ArmSums(number=len(logs), total=float(logs.sum()), squares=float((logs * logs).sum()))
            arm.times = arm.times.plus(sums)
            assert arm.answers is not None
            parts = rng.multinomial(number - failed, [0.25] * 4).tolist()
            arm.answers = arm.answers.plus(FeatureCounts(name="s/1", counts=parts))
        asked += step
        found = comparisons("canary", evidence, LabelledMetric(), RATE, foresight)
        needs, seconds = foresight.left(found, asked, RATE)
        yield Said(asked, needs, seconds, {each.name: (each.state, each.needs) for each in found})
        if decided(found):
            return


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    share=st.sampled_from([0.05, 0.25, 0.5]),
    failing=st.sampled_from([0.0, 0.001, 0.01, 0.05]),
    longer=st.sampled_from([0.0, 0.1, 0.2]),
    spread=st.sampled_from([0.2, 0.7, 1.2]),
    step=st.sampled_from([20, 50, 100]),
)
@example(seed=1, share=0.25, failing=0.05, longer=0.1, spread=1.0, step=50)
def test_what_is_said_does_not_jump_from_look_to_look(
    seed: int, share: float, failing: float, longer: float, spread: float, step: int
) -> None:
    """Neither of all, where what is decided for a moment may be open again, nor of each that stays open."""
    before = None
    for said in experiment(seed, share, failing, longer, spread, step, most=2500):
        if before is not None and before.asked >= FIRST:
            both = [(before.needs, said.needs), (before.seconds, said.seconds)]
            open_ = [name for name in said.each if said.each[name][1] and before.each.get(name, ("", 0))[1]]
            both += [(before.each[name][1], said.each[name][1]) for name in open_]
            for one, other in both:
                if one and other:
                    assert max(one / other, other / one) <= JUMP, (before, said)
        before = said


@pytest.mark.parametrize(
    ("share", "failing", "longer", "spread"), [(0.25, 0.01, 0.0, 0.7), (0.5, 0.0, 0.0, 0.3), (0.5, 0.01, 0.05, 0.5)]
)
def test_what_is_said_is_about_right(share: float, failing: float, longer: float, spread: float) -> None:
    """At half of the way, by a factor of 3 in most experiments, and on average by less than 2."""
    ratios = []
    for seed in range(16):
        said = list(experiment(seed, share, failing, longer, spread, 50, most=30_000))
        end = said[-1].asked
        assert end < 30_000
        halfway = next(each for each in said if each.asked >= end / 2)
        if halfway.needs:
            ratios.append(halfway.needs / (end - halfway.asked + 50))
    assert np.quantile(ratios, 0.1) > 1 / 3 and np.quantile(ratios, 0.8) < 3
    assert 0.5 < np.exp(np.mean(np.log(ratios))) < 2


def test_what_is_about_right_is_said_again() -> None:
    foresight, words = Foresight(), []
    for asked in range(1000, 1400, 10):
        told = Comparison(name="errors", state="undecided", needs=3000 - asked)
        foresight.say(told, asked, RATE)
        words.append(told.words)
    assert set(words) == {"undecided: needs about 2,000 requests, about 3 min"}


def test_another_share_is_another_foresight() -> None:
    foresight = Foresight()
    for base, needs in ((5000, 200), (50, 4000)):
        told = Comparison(name="errors", state="undecided", needs=needs)
        foresight.say(told, base, None)
        assert (told.needs, told.seconds) == (needs if base == 50 else 250, None)


@pytest.mark.parametrize(("one", "other"), [((0, 400), (0, 40)), ((20, 2000), (4, 200)), ((500, 1000), (500, 1000))])
def test_so_many_times_as_much_of_the_same_decides(one: tuple[int, int], other: tuple[int, int]) -> None:
    pair = yes(*one), yes(*other)
    times = growth([pair], 0.02, 0.005, binary=True)
    assert times is not None and times > 1

    def decides(times: float) -> bool:
        scaled = [yes(round(arm.total * times), round(arm.number * times)) for arm in pair]
        found = difference([(scaled[0], scaled[1])], 0.005, binary=True)
        return found is not None and found.high < 0.02

    assert decides(times * 3) and not decides(times / 3)


@given(
    one=st.tuples(st.integers(0, 300), st.integers(0, 300)),
    other=st.tuples(st.integers(0, 300), st.integers(0, 300)),
    sign=st.sampled_from([-1, 1]),
    matters=st.floats(1e-3, 1),
)
def test_whatever_was_seen_it_takes_no_less(
    one: tuple[int, int], other: tuple[int, int], sign: int, matters: float
) -> None:
    pair = yes(one[0], sum(one)), yes(other[0], sum(other))
    for binary in (True, False):
        times = growth([pair], matters, 0.01, sign=sign, binary=binary)
        assert (times is None) == (not sum(one) or not sum(other)) and (times is None or 1 <= times <= 1e12)


def test_a_forecast_of_labels_rests_on_all_shares() -> None:
    arm = ArmEvidence(requests=500)
    evidence = Evidence(salt="s", number=2, share=0.5, since=1.0, stable=arm, candidate=arm, requests=9000)
    few = LabelledArms(stable=yes(90, 100), candidate=yes(85, 100))
    metric = LabelledMetric(name="accuracy", used=True, stretches=[few])
    found = next(each for each in comparisons("canary", evidence, metric, RATE) if each.name == "accuracy")
    assert found.needs is not None and found.needs > 10_000, "50 requests for each label"
