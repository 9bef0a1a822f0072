"""The wall's books: whatever pods do, and whenever somebody looks, all is counted once, and no account is overshot."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.account import HELD, paid
from jupyter_mlops.core.base import read_record
from jupyter_mlops.core.budget import LOOKED_UP
from jupyter_mlops.core.rules import Rule, Rules
from jupyter_mlops.core.wall import LOOK, PATIENCE, STOP, RunningPod, WallBooks

NOVEMBER = 1_795_500_000.0  # 24 November 2026
LIMIT = 100.0
RULES = Rules(contact="ops@lab.org", rules=[Rule(name="lab", month=LIMIT)])
NAME = "ml/ada/cluster c"
#: Seconds in which a pod ends that is told to.
GRACE = 30.0


def pod(number: object = 0, rate: float = 36.0, *, owner: str = "ada", tab: str = "", **more: object) -> RunningPod:
    fields = {"since": NOVEMBER, "until": None, "per_hour": rate, **more}
    return RunningPod(id=str(number), owner=owner, tab=tab or f"{owner}/cluster c", **fields)  # type: ignore[arg-type]


def look(books: WallBooks, pods: Iterable[RunningPod], now: float, rules: Rules = RULES) -> WallBooks:
    """One look, by one who has read the books anew: each could be the first after a restart."""
    read = read_record(WallBooks, books.model_dump_json())
    assert read == books
    return read.count("ml", pods, now).settle(rules, now)


def spent(books: WallBooks) -> float:
    return math.fsum(book.spent for book in books.accounts.values())


@given(
    st.lists(st.tuples(st.floats(1, 500), st.floats(1, 500), st.floats(0, 50), st.booleans()), max_size=8),
    st.lists(st.floats(0.5, 60), min_size=1, max_size=40),
)
def test_what_runs_is_counted_once_whenever_somebody_looks(
    lives: list[tuple[float, float, float, bool]], gaps: list[float]
) -> None:
    """Who vanished between two looks may have run until the second; whose end is known is counted to the second."""
    books, now = look(WallBooks(), [], NOVEMBER), NOVEMBER
    least = most = 0.0
    for gap in [*gaps, 1000.0, 1.0]:
        before, now = now, now + gap
        there = []
        for number, (begin, length, rate, stays) in enumerate(lives):
            since, until = NOVEMBER + begin, NOVEMBER + begin + length
            ran = max(0.0, min(now, until) - max(before, since))
            was_seen = since <= before
            if since <= now and (now < until or stays):
                there.append(pod(number, rate, since=since, until=until if until <= now else None))
                least, most = least + rate * ran / 3600, most + rate * ran / 3600
            elif was_seen and before < until <= now:  # nobody saw when
                least, most = least + rate * min(ran, HELD) / 3600, most + rate * gap / 3600
        books = look(books, there, now)
        counted = math.fsum(tab.total for tab in books.tabs.values())
        assert least - 1e-9 <= counted <= most + 1e-9
        assert spent(books) == pytest.approx(counted)


@pytest.mark.parametrize("clusters", [1, 7])
def test_clusters_behind_the_wall_end_within_their_account_whatever_they_hear(clusters: int) -> None:
    """They are deaf, so that each runs until it is ended, and for as long as a pod may take for that."""
    rates = {f"c{number}": 200.0 / clusters * (0.5 + number % 5 / 4) for number in range(clusters)}
    books, now, cost = look(WallBooks(), [], NOVEMBER), NOVEMBER, 0.0
    ends: dict[str, float] = {}
    while len(ends) < len(rates) or max(ends.values()) > now:
        alive = {name: rate for name, rate in rates.items() if ends.get(name, math.inf) > now}
        books = look(books, [pod(name, rate, tab=f"ada/cluster {name}") for name, rate in alive.items()], now)
        for name in alive:
            stopped = books.tabs[f"ml/ada/cluster {name}"].stopped
            if stopped is not None and now - stopped >= PATIENCE:
                ends.setdefault(name, now + GRACE)
        for name, rate in alive.items():
            cost += rate / 3600 * min(LOOK, ends.get(name, math.inf) - now)
        now += LOOK
    assert 0.9 * LIMIT < cost <= LIMIT
    assert STOP >= PATIENCE + GRACE + 2 * LOOK


def test_a_newcomer_does_not_spend_what_others_hold() -> None:
    rate = LIMIT / HELD * 3600  # all that there is, for a quarter of an hour
    books = look(look(WallBooks(), [], NOVEMBER), [pod(0, rate)], NOVEMBER + 1)
    both = [pod(0, rate), pod(1, rate, owner="bob", since=NOVEMBER + 5)]
    books = look(books, both, NOVEMBER + 10)
    assert books.tabs[NAME].step == "fine", "it holds money for longer than the newcomer has been there"
    bob = books.tabs["ml/bob/cluster c"]
    assert (bob.step, bob.stopped) == ("stop", NOVEMBER + 10)
    assert books.closed(RULES, NOVEMBER + 10) == ["bob"]
    state = books.state("ml/bob/cluster c", NOVEMBER + 10)
    assert state is not None and "Account 'lab'" in state.sentence and "can't pay any more" in state.sentence

    raised = Rules(rules=[Rule(name="lab", month=10 * LIMIT)])
    books = look(books, both, NOVEMBER + 20, raised)
    assert books.tabs["ml/bob/cluster c"].stopped is None and not books.closed(raised, NOVEMBER + 20)


def test_the_end_is_said_before_it_comes() -> None:
    books, now, steps = look(WallBooks(), [], NOVEMBER), NOVEMBER, []
    while not steps or steps[-1] != "stop":
        now += LOOK
        books = look(books, [pod(0, 360.0)], now)
        steps.append(books.tabs[NAME].step)
    assert list(dict.fromkeys(steps)) == ["fine", "drain", "stop"]
    assert LIMIT - spent(books) >= paid(360.0, STOP - LOOK, None) - 1e-6


@pytest.mark.parametrize("word", ["assume", "refuse"])
def test_a_node_without_a_price_is_as_the_rules_say(word: str) -> None:
    rules = Rules(rules=[Rule(name="lab", month=LIMIT, unknown_price=word)])  # type: ignore[arg-type]
    books, now = look(WallBooks(), [], NOVEMBER, rules), NOVEMBER
    for _ in range(round(LOOKED_UP / LOOK) + 3):
        now += LOOK
        books = look(books, [pod(0, 1.0, priced=False)], now, rules)
    assert spent(books) > 0, "it is assumed to cost something anyhow"
    assert books.tabs[NAME].step == ("stop" if word == "refuse" else "fine")
    assert look(books, [pod(0, 1.0)], now + 1, rules).tabs[NAME].step == "fine", "it has a price now"


def test_nobody_pays_for_what_was_there_before_the_wall_nor_for_a_clock_that_is_set() -> None:
    books = look(WallBooks(), [pod(0, since=NOVEMBER - 1e6)], NOVEMBER)
    assert books.tabs[NAME].total == 0
    books = look(books, [pod(0)], NOVEMBER + 100)
    assert spent(books) == pytest.approx(1.0)
    assert spent(look(books, [pod(0)], NOVEMBER)) == pytest.approx(1.0)


def test_what_ran_while_nobody_could_look_is_counted_and_what_is_gone_for_no_longer_than_was_held() -> None:
    hours = 10 * 3600.0
    books = look(look(WallBooks(), [], NOVEMBER), [pod(0), pod(1)], NOVEMBER + 1)
    books = look(books, [pod(0)], NOVEMBER + hours, Rules(rules=[Rule(name="lab", month=1e6)]))
    assert spent(books) == pytest.approx(0.01 * (hours + 1 + HELD), rel=1e-3)
    away = books.leave("ml", NOVEMBER + 2 * hours)
    assert not away.tabs[NAME].pods and "ml" not in away.looked, "a namespace that is gone costs nothing any more"


def test_what_old_tabs_have_spent_stays_spent_until_the_month_is_over() -> None:
    books = look(look(WallBooks(), [], NOVEMBER), [pod(0)], NOVEMBER + 100)
    books = look(books, [], NOVEMBER + 200)
    paid_for = spent(books)
    books = look(books, [], NOVEMBER + 2 * 86400)
    assert not books.tabs and spent(books) == pytest.approx(paid_for) and paid_for > 0
    books = look(books, [pod(1, since=NOVEMBER + 2 * 86400)], NOVEMBER + 2 * 86400 + 100)
    assert spent(books) == pytest.approx(paid_for + 1.0), "a later one of its name begins anew"
    december = look(books, [pod(1)], NOVEMBER + 8 * 86400)
    assert december.accounts["lab"].month == "2026-12"


def test_who_gives_each_pod_another_name_pays_all_the_same() -> None:
    many = [pod(number, 1.0, tab=f"ada/cluster {number}") for number in range(250)]
    books = look(look(WallBooks(), [], NOVEMBER), many, NOVEMBER + 360)
    assert len(books.tabs) == 201 and len(books.tabs["ml/ada/pods"].pods) == 50
    assert spent(books) == pytest.approx(250 / 10)
    books = look(books, many[200:], NOVEMBER + 720)
    assert books.tabs["ml/ada/pods"].per_hour == 50, "they stay where they are"
    assert spent(books) == pytest.approx(2 * 250 / 10), "who has vanished may have done so just now"


def test_an_owner_stays_closed_for_as_long_as_the_account_is_empty() -> None:
    books = look(look(WallBooks(), [], NOVEMBER), [pod(0, 3600.0)], NOVEMBER + 100)
    for hours in (1, 30):
        now = NOVEMBER + hours * 3600
        books = look(books, [], now)
        assert books.closed(RULES, now) == ["ada"]
    december = NOVEMBER + 8 * 86400
    assert not look(books, [], december).closed(RULES, december)


def test_less_money_counts_at_once() -> None:
    both = [pod(0), pod(1, tab="ada/cluster other")]
    books = look(look(WallBooks(), [], NOVEMBER), both, NOVEMBER + 100)
    less = Rules(rules=[Rule(name="lab", month=spent(books) + 18.0)])  # a quarter of an hour of both
    books = look(books, both, NOVEMBER + 101, less)
    assert [tab.step for tab in books.tabs.values()] == ["fine", "fine"]
    less = Rules(rules=[Rule(name="lab", month=spent(books) + 4.0)])
    books = look(books, both, NOVEMBER + 102, less)
    assert [tab.step for tab in books.tabs.values()] == ["drain", "drain"], "they give back alike"
    none = Rules(rules=[Rule(name="lab", month=spent(books) / 2)])
    assert [tab.step for tab in look(books, both, NOVEMBER + 103, none).tabs.values()] == ["stop", "stop"]


def test_each_owner_has_an_account_where_the_rules_say_so() -> None:
    rules = Rules(rules=[Rule(name="each", month=LIMIT, each=True), Rule(name="all", month=1.5 * LIMIT)])
    books = look(WallBooks(), [], NOVEMBER, rules)
    books = look(books, [pod(0), pod(1, owner="bob")], NOVEMBER + 100, rules)
    costs = {name: book.spent for name, book in books.accounts.items()}
    assert costs == pytest.approx({"each of ada": 1.0, "each of bob": 1.0, "all": 2.0})


def test_who_holds_money_already_is_asked_first_and_a_new_rule_counts_from_then_on() -> None:
    rate = LIMIT / (HELD + 300) * 3600
    books = look(look(WallBooks(), [], NOVEMBER), [pod(0, rate, owner="zoe")], NOVEMBER + 1)
    both = [pod(0, rate, owner="zoe"), pod(1, rate, owner="abe", since=NOVEMBER + 10)]
    more = Rules(rules=[*RULES.rules, Rule(name="new", month=1e6)])
    books = look(books, both, NOVEMBER + 11, more)
    assert books.accounts["lab"].holds["ml/zoe/cluster c"].held == pytest.approx(paid(rate, HELD, None))
    assert books.accounts["new"].spent == pytest.approx(paid(rate, 10, None) + paid(rate, 1, None)), "of both"
