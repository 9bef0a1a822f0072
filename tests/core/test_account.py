"""Accounts: whatever clusters, starts and networks do, they are neither overshot nor do they lose money."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_mlops.core.account import DRAIN, END, HELD, RENEWED, AccountBook, Ask, Hold, paid, refusal, step_of
from jupyter_mlops.core.budget import STEPS
from jupyter_mlops.core.errors import Refused
from jupyter_mlops.core.profile import Group, Limits, Profile
from jupyter_mlops.core.rules import HeldRules, Rule, Rules, rules_for

LIMIT = 100.0
NOVEMBER = 1_795_500_000.0  # 24 November 2026
MONEY = st.one_of(st.sampled_from([0.0, 10.0, 35.0, 60.0]), st.floats(0, 60))
DAY = 86400.0


@dataclass
class Real:
    """A cluster as it is, whatever is known of it: what it really has cost, and may cost by the last answer it got."""

    cost: float = 0.0
    most: float = 0.0
    number: int = 0
    asked: float = 0.0
    runs: bool = False
    over: bool = False


@dataclass
class World:
    """An account, the clusters that spend its money, and all messages that were ever sent to it."""

    book: AccountBook = field(default_factory=lambda: AccountBook(name="ada", limit=LIMIT))
    now: float = NOVEMBER
    clusters: dict[str, Real] = field(default_factory=lambda: {name: Real() for name in "abcd"})
    sent: list[tuple[float, Callable[[AccountBook], AccountBook]]] = field(default_factory=list)
    #: Spent in months that are over, as the account had it; and really spent in this one.
    before: float = 0.0
    really: float = 0.0

    def send(self, message: Callable[[AccountBook], AccountBook]) -> None:
        self.sent.append((self.now, message))
        self.arrive(message)

    def arrive(self, message: Callable[[AccountBook], AccountBook]) -> None:
        after = message(self.book)
        if after.month != self.book.month:
            self.before += self.book.spent
            self.really = 0.0
        self.book = after

    def ask(self, who: str, want: float, least: float, begun: bool) -> None:
        real, now = self.clusters[who], self.now
        if real.over or (begun and real.number == 0):
            return
        real.number += 1
        ask = Ask(real.number, real.cost, want, least, begun=begun or real.runs)
        self.send(lambda book: book.take(who, ask, now))
        answer = self.book.holds.get(who, Hold())
        assert answer.number == ask.number
        assert answer.held >= least * (1 - 1e-6) or answer.short
        if ask.begun:
            real.runs, real.most, real.asked = True, answer.most, now

    def spend(self, who: str, part: float) -> None:
        real = self.clusters[who]
        if real.runs and not real.over and self.now - real.asked < DAY:
            spent = max(0.0, real.most - real.cost) * part
            real.cost += spent
            self.really += spent

    def end(self, who: str) -> None:
        if not self.clusters[who].over:
            self.find(who)

    def crash(self, who: str) -> None:
        """Nobody hears of it any more, unless its receipt is found; what it has spent is spent."""
        self.clusters[who].over = True

    def find(self, who: str) -> None:
        """Its end, or its receipt."""
        real, now = self.clusters[who], self.now
        if not real.over or now - real.asked < DAY:
            self.close(who)

    def close(self, who: str) -> None:
        real, now = self.clusters[who], self.now
        real.over, cost = True, real.cost
        self.send(lambda book: book.close(who, cost, now))

    def again(self, number: int) -> None:
        """A message comes once more, out of order: not a day later."""
        lately = [message for sent, message in self.sent if self.now - sent < DAY]
        if lately:
            self.arrive(lately[number % len(lately)])

    def wait(self, seconds: float) -> None:
        self.now += seconds
        now = self.now
        self.arrive(lambda book: book.at(now))


NAMES = st.sampled_from("abcd")
ASK = st.tuples(st.just(World.ask), NAMES, MONEY, MONEY, st.booleans())
STEP = st.one_of(
    ASK,
    ASK.map(lambda ask: (*ask[:3], 0.0, False)),  # for a start, with whatever there is
    ASK.map(lambda ask: (*ask[:3], 0.0, True)),
    st.tuples(st.just(World.spend), NAMES, st.floats(0, 1)),
    st.tuples(st.just(World.end), NAMES),
    st.tuples(st.just(World.crash), NAMES),
    st.tuples(st.just(World.find), NAMES),
    st.tuples(st.just(World.again), st.integers(0, 30)),
    st.tuples(st.just(World.wait), st.sampled_from([1.0, HELD + 1, 8 * DAY])),
)


@settings(max_examples=300)
@given(st.lists(STEP, min_size=8, max_size=40))
@example(
    [
        (World.ask, "d", 10.0, 0.0, False),
        (World.ask, "d", 0.0, 10.0, True),
        (World.ask, "d", 0.0, 0.0, False),
        (World.spend, "d", 1.0),
    ]
)
def test_whatever_happens_no_month_is_overshot_and_no_money_is_lost(steps: list[tuple[Any, ...]]) -> None:
    world = World(now=NOVEMBER)
    world.book = world.book.at(NOVEMBER)
    for step, *arguments in steps:
        step(world, *arguments)
        book, now = world.book, world.now
        assert book.spent + book.held(now) <= LIMIT + 1e-6
        assert world.really <= LIMIT + 1e-6, "what is really spent in a month is within it"
        for who, real in world.clusters.items():
            hold = book.holds.get(who, Hold())
            if real.runs and not hold.ended and now - real.asked < DAY:
                assert real.cost <= hold.most + 1e-6, "what nobody has heard of yet is held"
        assert book.take("new", Ask(1, 0.0, LIMIT, 0.0), now).free(now) <= 1e-6
    for who in world.clusters:  # those that crashed are found by their receipts
        world.close(who)
    spent = world.before + world.book.spent
    assert spent == pytest.approx(sum(real.cost for real in world.clusters.values()), abs=1e-6)
    assert world.book.held(world.now) == 0, "all that was held is free again"


@given(MONEY, MONEY, st.permutations(range(3)))
def test_asks_that_come_in_another_order_count_once(one: float, other: float, order: list[int]) -> None:
    asks = [Ask(1, 0, one), Ask(2, one / 2, other), Ask(3, one / 2 + other / 2, one)]
    book = AccountBook(name="ada", limit=1000)
    for number in [*order, *range(3)]:
        book = book.take("a", asks[number], NOVEMBER)
    hold = book.holds["a"]
    assert (hold.number, hold.held) == (3, pytest.approx(one))
    assert [hold.spent, hold.total] == [pytest.approx(one / 2 + other / 2)] * 2


def test_a_start_that_came_to_nothing_gives_its_money_back_by_itself() -> None:
    book = AccountBook(name="ada", limit=10).take("a", Ask(1, 0, 8, 8, begun=False), NOVEMBER)
    assert book.take("b", Ask(1, 0, 3, 3), NOVEMBER).holds["b"].short
    later = NOVEMBER + HELD + 1
    assert not book.take("b", Ask(1, 0, 9, 9), later).holds["b"].short
    assert book.take("a", Ask(2, 0, 8), NOVEMBER).take("b", Ask(1, 0, 9, 9), later).holds["b"].short, (
        "one that has begun may have spent it"
    )


@given(st.floats(0, 100), st.floats(0.01, 1000), st.one_of(st.none(), st.floats(0, 1e5)))
def test_less_money_is_never_a_step_back(left: float, rate: float, life: float | None) -> None:
    steps = [STEPS.index(step_of(left * part, rate, life)) for part in (1.0, 0.5, 0.1, 0.0)]
    assert steps == sorted(steps)
    assert step_of(paid(rate, RENEWED, life), rate, life) == "fine"
    assert END < DRAIN < RENEWED < HELD


@pytest.mark.parametrize("clusters", [1, 5, 20])
def test_clusters_that_spend_an_account_together_stop_within_it(clusters: int) -> None:
    """Nobody looks at the sum: each asks for itself, and spends what it holds to the end."""
    rates = {f"c{number}": 200.0 / clusters * (0.5 + number % 5 / 4) for number in range(clusters)}
    book, answers, asked, total = AccountBook(name="ada", limit=LIMIT), {}, {}, dict.fromkeys(rates, 0.0)
    alive, now = set(rates), NOVEMBER
    while alive:
        for number, who in enumerate(sorted(alive)):
            rate, left = rates[who], answers.get(who, Hold()).most - total[who]
            lacks = left < paid(rate, RENEWED, None)
            if now - asked.get(who, 0) >= (15 if lacks else 300):
                ask = Ask(answers.get(who, Hold()).number + 1, total[who], paid(rate, HELD, None))
                book, asked[who] = book.take(who, ask, now + number / 100), now
                answers[who] = book.holds[who]
            if step_of(answers[who].most - total[who], rate, None) == "stop":
                alive.discard(who)
                book = book.close(who, total[who], now)
            else:
                total[who] += rate / 3600
        now += 1
    assert 0.97 * LIMIT < sum(total.values()) <= LIMIT
    assert book.spent == pytest.approx(sum(total.values()))


def test_a_refusal_says_what_could_be_had() -> None:
    book = AccountBook(name="ada", limit=10).take("other", Ask(1, 7.5, 0.5), NOVEMBER)
    error = refusal("No", book, "40 workers", 40.0, paid(40, RENEWED, None), 1.0, NOVEMBER)
    assert isinstance(error, Refused)
    assert "40 workers would cost $40.00/h, for which $6.67 have to be held" in error.why
    assert "has $2.00 left: $7.50 of $10.00 a month is spent, $0.50 held by 1 cluster" in error.why
    assert error.todo == (
        "Have 12 workers, or give it a lifetime of 2 min at most, "
        "or raise the account: jupyter mlops account set AMOUNT."
    )
    life = 120.0
    assert paid(40, RENEWED, life) <= 2.0 and 12 * 40 / 40 / 6 <= 2.0, "both ways out are ones"
    ruled = book.model_copy(update={"rule": "lab", "contact": "ops@lab.org", "limit": 8.0})
    todo = refusal("No", ruled, "40 workers", 40.0, 6.7, 1.0, NOVEMBER).todo
    assert todo == (
        "Stop a cluster that holds money, or wait for the next month, or ask ops@lab.org for more (rule 'lab')."
    )


def test_months_are_told_apart_and_holds_last() -> None:
    midnight = 1_796_083_200.0  # that of UTC, with which December begins
    book = AccountBook(name="ada", limit=10).take("a", Ask(1, 6, 2), midnight - 60)
    december = book.at(midnight)
    assert (book.month, december.month) == ("2026-11", "2026-12")
    assert (book.spent, december.spent, december.held(midnight)) == (6, 0, 2)
    assert december.at(midnight - 60).month == "2026-12", "a clock that is set back brings no money back"
    assert book.take("a", Ask(2, 9, 2), midnight).spent == 3
    silent = december.at(midnight + 31 * DAY)
    assert silent.held(midnight + 31 * DAY) == 0 and "a" in silent.holds, "nobody has heard of it for a month"


RULES = st.builds(
    Rule,
    name=st.just("r"),
    workers=st.one_of(st.none(), st.integers(0, 9)),
    per_hour=st.one_of(st.none(), st.floats(0.1, 9)),
    budget=st.one_of(st.none(), st.floats(0.1, 9)),
    lifetime=st.one_of(st.none(), st.floats(1, 9)),
    cpus=st.one_of(st.none(), st.floats(0.5, 4)),
    unknown_price=st.sampled_from([None, "assume", "refuse"]),
)


@given(st.lists(RULES, max_size=3), RULES, st.integers(0, 9), st.floats(0, 10), st.floats(0.1, 4))
def test_another_rule_never_allows_more(some: list[Rule], more: Rule, workers: int, rate: float, cpus: float) -> None:
    few, many = HeldRules(rules=some), HeldRules(rules=[*some, more])
    profile = Profile(name="p", groups=[Group(cpus=cpus)], limits=Limits(budget=5, lifetime=5))
    for ask in (
        lambda rules: rules.check_workers(workers),
        lambda rules: rules.check_rate(rate, "USD"),
        lambda rules: rules.check_profile(profile, True),
        lambda rules: rules.check_limits(profile.limits),
    ):
        assert _refuses(many, ask) or not _refuses(few, ask)
    wide, narrow = few.narrowed(profile.limits), many.narrowed(profile.limits)
    assert (narrow.budget or math.inf) <= (wide.budget or math.inf)
    assert (narrow.lifetime or math.inf) <= (wide.lifetime or math.inf)
    assert not _refuses(many, lambda rules: rules.check_limits(narrow)), "what is narrowed passes"
    assert many.most_workers(0, workers) <= few.most_workers(0, workers)


def test_rules_are_about_owners_and_places() -> None:
    lab = Rule(name="lab", owners=["ada", "bob-*"], places=["kube*"], month=100)
    files = [Rules(contact="ops", rules=[lab, Rule(name="all", month=20, each=True)])]
    held = rules_for(files, "bob-1", "kubernetes")
    assert [rule.account("bob-1") for rule in held.rules] == ["lab", "all of bob-1"]
    assert [rule.name for rule in rules_for(files, "ada", "local").rules] == ["all"]
    with pytest.raises(
        Refused, match=r"another currency than its rules: they count money in USD .rule 'lab'.*or ask ops"
    ):
        held.check_rate(1, "EUR")
    with pytest.raises(Refused, match="only these may be used: small"):
        HeldRules(rules=[Rule(name="r", profiles=["small"])]).check_profile(
            Profile(name="small", groups=[Group()]), is_as_stored=False
        )


def _refuses(rules: HeldRules, ask: Callable[[HeldRules], object]) -> bool:
    try:
        ask(rules)
    except Refused:
        return True
    return False
