"""Budgets: what they have left, what is done on the way, and other limits for a live cluster."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_mlops.core.budget import (
    CAUTION,
    DRAIN,
    LOOKED_UP,
    STEPS,
    Budget,
    BudgetStep,
    budget_of,
    check_priced,
    sooner,
)
from jupyter_mlops.core.errors import InvalidSpec, MlopsError, OutOfRange
from jupyter_mlops.core.extend import LimitChange, changed
from jupyter_mlops.core.ledger import Ledger, LedgerEntry
from jupyter_mlops.core.policy import next_stop
from jupyter_mlops.core.price import GB, REFERENCE, Cost, HostPrice, Price, Usage, reference_of
from jupyter_mlops.core.profile import Limits
from jupyter_mlops.core.projection import projection_of, projection_of_steps

HOUR = 3600.0
MONEY = st.floats(0, 1e4)


def limits(budget: float | None = 10, **others: object) -> Limits:
    return Limits.model_validate({"idle_timeout": None, "lifetime": None, "budget": budget, **others})


def step_of(amount: float, per_hour: float = 0.0) -> BudgetStep:
    budget = budget_of(limits(), Cost(amount=amount, per_hour=per_hour), REFERENCE, 0)
    assert budget is not None
    return budget.step


def one_priced_one_not() -> Ledger:
    """A node of 4 CPUs for 0.192 an hour, and one of 64 CPUs without a price."""
    priced = HostPrice(rates=Price(cpu_hour=0.048), per_hour=0.192)
    return Ledger(
        [
            LedgerEntry(time=0, kind="host", host="small", price=priced),
            LedgerEntry(time=0, kind="host", host="big", price=HostPrice()),
            LedgerEntry(time=0, kind="open", worker="a", cpus=4, memory=16 * GB, host="small"),
            LedgerEntry(time=0, kind="open", worker="b", cpus=64, memory=256 * GB, host="big"),
        ]
    )


def test_a_big_node_without_a_price_is_no_way_around_a_budget() -> None:
    cost = one_priced_one_not().cost(Price(), 1 * HOUR)
    budget = budget_of(limits(5), cost, REFERENCE, 1 * HOUR)
    assert cost.amount == pytest.approx(0.192), "sums of money stay as they are"
    assert budget is not None
    held = CAUTION * (64 * 0.031611 + 256 * 0.004237)
    assert (budget.spent, budget.assumed) == (pytest.approx(0.192), pytest.approx(held))
    stop = next_stop(limits(5), 1 * HOUR, 0, None, budget)
    assert stop is not None and stop.cause == "budget"
    assert stop.at == pytest.approx(5 / (0.192 + held) * HOUR), "in less than two hours, not after 26"


def test_all_of_it_unknown_is_held_too() -> None:
    cost = Cost(unknown=Usage(cpu_hours=100), unknown_now=Usage(cpu_hours=10, worker_hours=5))
    budget = budget_of(limits(5), cost, REFERENCE, 0)
    assert budget is not None and budget.until is not None
    assert (budget.spent, budget.used) == (0, "about $3.95 assumed of a budget of $5.00")


@pytest.mark.parametrize("word", ["refuse", "assume", "ignore"])
@pytest.mark.parametrize("reference", [REFERENCE, None])
def test_what_a_budget_makes_of_an_unknown_price(word: str, reference: Price | None) -> None:
    late = Cost(amount=0, per_hour=0, unknown=Usage(cpu_hours=1, worker_hours=1), unknown_now=Usage(worker_hours=1))
    soon = late.model_copy(update={"unknown": Usage(cpu_hours=1, worker_hours=LOOKED_UP / HOUR / 2)})
    for cost, waited in ((late, True), (soon, False)):
        budget = budget_of(limits(5, unknown_price=word), cost, reference, 0)
        assert budget is not None
        ends = waited and (word == "refuse" or (word == "assume" and reference is None))
        assert (budget.step == "stop") == ends, "where it can't be held against the budget, it ends the cluster"
        assert (budget.assumed > 0) == (word != "ignore" and reference is not None)
        if ends:
            assert "without a price" in budget.why_over


@pytest.mark.parametrize(
    ("amount", "per_hour", "step"),
    [
        (0, 0, "fine"),
        (4.99, 0, "fine"),
        (5, 0, "half"),
        (8, 0, "warn"),
        (9, 0, "no growth"),
        (9.9, 1, "no growth"),
        (9.95, 1, "drain"),
        (8.9, 1e9, "warn"),  # a drain never comes before growth has ended
        (9.1, 1e9, "drain"),
        (10, 0, "stop"),
        (12, 1, "stop"),
    ],
)
def test_the_steps_of_a_budget(amount: float, per_hour: float, step: str) -> None:
    assert step_of(amount, per_hour) == step


@given(MONEY, MONEY, st.floats(0, 1e3))
def test_more_spent_is_never_a_step_back(one: float, other: float, per_hour: float) -> None:
    less, more = sorted((one, other))
    assert STEPS.index(step_of(less, per_hour)) <= STEPS.index(step_of(more, per_hour))


@given(MONEY, st.floats(0, 1e3), st.floats(0, 1e4), st.floats(0, 1e3))
@example(0.0, 5e-324, 0.0, 0.0)
def test_unknown_usage_only_brings_the_end_nearer(amount: float, rate: float, cpus: float, now: float) -> None:
    known = Cost(amount=amount, per_hour=rate)
    part = known.model_copy(update={"unknown": Usage(cpu_hours=cpus), "unknown_now": Usage(cpu_hours=now)})
    without, withheld = (budget_of(limits(), cost, REFERENCE, 1) for cost in (known, part))
    assert without is not None and withheld is not None
    assert STEPS.index(without.step) <= STEPS.index(withheld.step)
    assert all(each.until is None or each.until < 1e10 for each in (without, withheld))
    assert (without.until or 1e300) >= (withheld.until or 1e300)
    assert withheld.spent == without.spent, "what is assumed is in no sum of money"


@given(st.floats(0.01, 1e4), st.floats(0.01, 1e4), st.floats(0.1, 10))
def test_looked_at_often_it_never_passes_by_more_than_a_look(limit: float, per_hour: float, tick: float) -> None:
    """A controller that looks every `tick` seconds and ends at "stop" spends at most a tick's money too much, and a
    drain has its time, or a tenth of the budget."""
    allowed, per_second = limits(limit), per_hour / HOUR
    drained = limit - min(per_hour * DRAIN / HOUR, limit / 10)
    for spent in (drained, drained + tick * per_second):
        budget = budget_of(allowed, Cost(amount=spent * (1 + 1e-12), per_hour=per_hour), REFERENCE, 0)
        assert budget is not None and budget.step in ("drain", "stop")
    budget = budget_of(allowed, Cost(amount=limit - tick * per_second / 2, per_hour=per_hour), REFERENCE, 0)
    assert budget is not None and budget.until is not None and budget.until <= tick


def test_a_budget_that_can_never_be_kept_is_refused_at_the_start() -> None:
    euros = Price(currency="EUR")
    for price, word in ((Price(), "refuse"), (euros, "refuse"), (euros, "assume")):
        with pytest.raises(InvalidSpec, match="nobody said what these workers cost"):
            check_priced(limits(5, unknown_price=word), price, REFERENCE)
    check_priced(limits(5, unknown_price="refuse"), Price(gb_hour=1), REFERENCE)
    check_priced(limits(5), Price(), REFERENCE)
    check_priced(limits(5, unknown_price="ignore"), euros, REFERENCE)
    check_priced(limits(None, unknown_price="refuse"), Price(), REFERENCE)
    check_priced(limits(5, unknown_price="refuse"), Price(), REFERENCE, listed=True)
    with pytest.raises(
        InvalidSpec,
        match=r"Say what a dollar is in EUR, in Settings .* or with `jupyter mlops prices exchange EUR RATE`",
    ):
        check_priced(limits(5), euros, REFERENCE, listed=True)
    assert Budget(limit=1 / 3).why_over == "it cost $0.00 of a budget of $0.33"


@given(st.floats(1e-3, 1e6))
def test_what_is_offered_is_a_round_part_of_a_budget(limit: float) -> None:
    assert 0.19 <= Budget(limit=limit).more / limit <= 0.51


@given(st.floats(1e-3, 1e6), st.floats(0, 2), st.floats(0, 1e3))
def test_what_is_offered_pays_for_the_maps_that_run(limit: float, part: float, work: float) -> None:
    budget = Budget(limit=limit, spent=part * limit, projected=work * limit)
    assert budget.limit + budget.more >= (budget.spent + budget.projected) * (1 - 1e-9)


@given(st.integers(1, 5000), st.integers(0, 5000), st.floats(0, 1e3), st.floats(1, 1e5), st.floats(0, 1e5))
def test_a_map_is_told_what_it_will_cost(done: int, rest: int, amount: float, left: float, until: float) -> None:
    cost, budget = Cost(amount=amount), Budget(limit=20, until=until)
    told = projection_of(cost, done + rest, done, left, budget, 0)
    assert told is not None
    assert amount * (1 - 1e-9) <= told.low <= told.amount <= told.high
    assert told.amount == pytest.approx(amount * (done + rest) / done)
    assert (told.stops_at is not None) == (until < left)
    if told.stops_at is not None:
        assert done / (done + rest) <= told.stops_at <= 1 + 1e-9
    unknown = projection_of(Cost(), done + rest, done, left, budget, 0)
    assert (unknown is None) == (told.stops_at is None), "what is assumed for an unknown price may end it"
    assert unknown is None or (unknown.amount, unknown.stops_at) == (None, told.stops_at)
    capped = projection_of(cost, done + rest, done, left, None, 0, most=amount)
    assert capped is not None and capped.low <= capped.amount <= capped.high == pytest.approx(amount), "a sweep's own"
    assert projection_of(cost, done + rest, done, None, budget, 0) is None


def test_a_gang_is_told_what_it_will_cost() -> None:
    budget = Budget(limit=20, until=60)
    told = projection_of_steps(Cost(amount=10), 20, age=100, left=200, budget=budget, now=0)
    assert told is not None and (told.low, told.amount, told.high) == (28, 30, 32)
    assert told.stops_at == pytest.approx(160 / 300)
    unknown = projection_of_steps(Cost(), None, age=100, left=200, budget=budget, now=0)
    assert unknown is not None and (unknown.amount, unknown.stops_at) == (None, told.stops_at)
    assert projection_of_steps(Cost(amount=10), 20, age=100, left=None, budget=budget, now=0) is None


def test_the_budget_that_is_used_up_first_is_the_one_to_heed() -> None:
    never, soon, late = Budget(limit=1), Budget(limit=2, until=5), Budget(limit=3, until=9)
    assert sooner(soon, late) is soon is sooner(late, soon) is sooner(never, soon) is sooner(None, soon)
    assert sooner(never, None) is never and sooner(None, None) is None


def test_a_reference_is_told_where_nothing_has_a_price_and_is_in_no_sum() -> None:
    held = Usage(worker_hours=1, cpu_hours=2, gb_hours=24)
    cost = Cost(unknown=held, unknown_now=held)
    told = reference_of(cost, REFERENCE)
    assert told is not None and told.per_hour == pytest.approx(2 * 0.031611 + 24 * 0.004237)
    assert cost.amount is None and cost.per_hour is None
    assert reference_of(cost.model_copy(update={"amount": 0.0}), REFERENCE) is None, "free is a price"
    assert reference_of(Cost(), REFERENCE) is None


def test_no_budget_no_step() -> None:
    assert budget_of(limits(None), Cost(amount=5, per_hour=1), REFERENCE, 0) is None


def test_what_each_step_says() -> None:
    said = {step: Budget(limit=10, spent=4, assumed=3, step=step) for step in STEPS}
    assert said["fine"].sentence == "" == said["warn"].why_no_growth
    assert said["half"].sentence == "Half of the budget is used: $4.00 + about $3.00 assumed of a budget of $10.00"
    for step in ("no growth", "drain", "stop"):
        assert "$4.00 + about $3.00 assumed of a budget of $10.00 is used" in said[step].why_no_growth


@pytest.mark.parametrize(
    ("change", "budget", "lifetime"),
    [
        ({"more_money": 10}, 20, 7200),
        ({"more_time": "1 h"}, 10, 10800),
        ({"budget": 7, "lifetime": "5h"}, 7, 18000),
        ({"more_money": 1.5, "more_time": 60}, 11.5, 7260),
    ],
)
def test_limits_are_raised_and_lowered(change: dict[str, object], budget: float, lifetime: float) -> None:
    before = Limits(budget=10, lifetime=7200, restarts=3)
    after, words = changed(before, LimitChange.model_validate(change), 6, 0, 3600, "USD")
    assert after == before.model_copy(update={"budget": budget, "lifetime": lifetime})
    assert ("budget" in words, "live" in words) == (budget != 10, lifetime != 7200)


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"budget": 6.5}, OutOfRange, "$4.00 + about $3.00 assumed of it is used already"),
        ({"lifetime": "30 min"}, OutOfRange, "it has lived for 1 h"),
        ({"more_money": 1}, OutOfRange, "the cluster has none"),
        ({"more_time": "1h"}, OutOfRange, "as long as it wants"),
        ({}, InvalidSpec, "No limit is named"),
        ({"budget": 20, "more_money": 1}, InvalidSpec, "named twice"),
    ],
)
def test_a_limit_that_can_not_be_is_refused_in_words(
    change: dict[str, object], error: type[MlopsError], word: str
) -> None:
    open_ended = limits(None)
    with pytest.raises(error) as raised:
        changed(open_ended, LimitChange.model_validate(change), 4, 3, 3600, "USD")
    assert word in str(raised.value)


def test_limits_as_people_type_them() -> None:
    assert LimitChange.typed("+10", "+1h") == LimitChange(more_money=10, more_time=3600)
    assert LimitChange.typed("30", " 30 h ") == LimitChange(budget=30, lifetime=108000)
    for budget, lifetime in (("ten", None), ("-3", None), (None, "30"), ("+", None)):
        with pytest.raises(InvalidSpec):
            LimitChange.typed(budget, lifetime)
