"""Money by the hosts that workers run on: shares of them, and whole ones, each counted once."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.cluster import ClusterSpec
from jupyter_mlops.core.ledger import Ledger, LedgerEntry
from jupyter_mlops.core.price import HOUR, HostPrice, Price, sources
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.core.receipt import receipt_of

#: The fourth host is never priced, the third is known to have no price.
HOSTS = ("n1", "n2", "n3", "n4")
PRICES = {
    "n1": HostPrice(rates=Price(cpu_hour=1, gb_hour=0.5, source="one", date="2026-01-01"), per_hour=8),
    "n2": HostPrice(rates=Price(cpu_hour=3, gb_hour=0.1, source="two", date="2026-01-01"), per_hour=20),
    "n3": HostPrice(rates=Price(source="no price of odd is known")),
}
STEP = st.tuples(
    st.sampled_from(["open", "open", "close", "host"]),
    st.sampled_from([f"w{number}" for number in range(6)]),
    st.sampled_from(HOSTS),
    st.sampled_from("ab"),
    st.floats(0, 5000),
    st.floats(0.5, 16),
    st.floats(1e8, 1e11),
    st.one_of(st.none(), st.floats(0, 1)),
)
STEPS = st.lists(STEP, max_size=40)


def entries_of(steps: list[tuple[Any, ...]]) -> list[LedgerEntry]:
    """Each so much after the one before; `late` is how much of that it was written late."""
    time, entries = 1.7e9, []
    for kind, worker, host, group, after, cpus, memory, late in steps:
        time += after
        when = {"time": time} if late is None else {"time": time - late * after, "written": time}
        if kind == "host":
            if host in PRICES:
                entries.append(LedgerEntry(time=time, kind="host", host=host, price=PRICES[host]))
        elif kind == "open":
            shape = {"group": group, "cpus": cpus, "memory": memory, "host": host}
            entries.append(LedgerEntry(kind="open", worker=worker, **shape, **when))
        else:
            entries.append(LedgerEntry(kind="close", worker=worker, **when))
    return entries


def intervals(entries: list[LedgerEntry], now: float) -> list[tuple[LedgerEntry, float]]:
    """Each worker's stay: its `open`, and until when."""
    opened: dict[str, LedgerEntry] = {}
    stays = []
    for entry in entries:
        if entry.kind == "open":
            opened.setdefault(entry.worker, entry)
        elif entry.kind == "close" and entry.worker in opened:
            stays.append((opened.pop(entry.worker), entry.time))
    return stays + [(entry, now) for entry in opened.values()]


def told(entries: list[LedgerEntry]) -> dict[str, HostPrice]:
    return {entry.host: entry.price for entry in entries if entry.kind == "host" and entry.price}


def near(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-6)


@given(STEPS, st.floats(0, 5000))
def test_each_worker_pays_its_host_s_rates_from_its_beginning(steps: list[tuple[Any, ...]], later: float) -> None:
    entries = entries_of(steps)
    now = (entries[-1].written or entries[-1].time if entries else 1.7e9) + later
    known, missing = defaultdict(float), defaultdict(float)
    for entry, until in intervals(entries, now):
        hours = (until - entry.time) / HOUR
        rates = told(entries).get(entry.host, HostPrice()).rates
        money = rates.per_hour(entry.cpus, entry.memory)
        for group in (entry.group, None):
            if money is None:
                missing[group] += hours * entry.cpus
            else:
                known[group] += hours * money
    for group in ("a", "b", None):
        cost = Ledger(entries).cost(Price(), now, group)
        assert near(cost.amount or 0.0, known[group])
        assert near(cost.unknown.cpu_hours, missing[group])
        assert cost.amount is not None or known[group] == 0
    parts = [Ledger(entries).cost(Price(), now, group).amount or 0.0 for group in "ab"]
    assert near(sum(parts), Ledger(entries).cost(Price(), now).amount or 0.0)


@given(STEPS, st.floats(0, 5000))
def test_a_host_is_paid_for_once_while_it_has_any_worker(steps: list[tuple[Any, ...]], later: float) -> None:
    entries = entries_of(steps)
    now = (entries[-1].written or entries[-1].time if entries else 1.7e9) + later
    prices, money, unknown = told(entries), 0.0, 0.0
    for host in HOSTS[:3]:
        if host not in prices:
            continue
        stays = sorted((entry.time, until) for entry, until in intervals(entries, now) if entry.host == host)
        held, end = 0.0, 0.0
        for begin, until in stays:
            held += max(0.0, until - max(begin, end))
            end = max(end, until)
        per_hour = prices[host].per_hour
        money += (per_hour or 0) * held / HOUR
        unknown += held / HOUR if per_hour is None else 0
    dedicated = Ledger(entries).cost(Price(), now).dedicated
    assert near(dedicated.amount or 0 if dedicated else 0, money)
    assert near(dedicated.unknown_hours if dedicated else 0, unknown)


@given(STEPS, st.integers(0, 40), st.floats(0, 5000))
def test_a_ledger_that_is_read_again_goes_on_the_same(steps: list[tuple[Any, ...]], at: int, later: float) -> None:
    """A scheduler that is restarted anywhere replays what was written; what overlaps changes nothing."""
    entries = entries_of(steps)
    now = (entries[-1].written or entries[-1].time if entries else 1.7e9) + later
    written = [LedgerEntry.model_validate_json(entry.model_dump_json(exclude_defaults=True)) for entry in entries[:at]]
    again = Ledger(written)
    for entry in [entry for entry in written if entry.kind == "host"][-1:] + entries[at:]:
        again.add(entry)
    assert same(again.cost(Price(), now).model_dump(), Ledger(entries).cost(Price(), now).model_dump())


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return all(same(one[key], other[key]) for key in one)
    return near(one, other) if isinstance(one, float) and isinstance(other, float) else one == other


def opened(worker: str, time: float, host: str = "", **shape: Any) -> LedgerEntry:
    fields = {"group": "a", "cpus": 1, "memory": 0, **shape}
    return LedgerEntry(time=time, kind="open", worker=worker, host=host, **fields)


def test_what_is_known_is_money_and_the_rest_is_hours() -> None:
    ledger = Ledger([opened("1", 0, "n1", cpus=2), opened("2", 0, "n3", cpus=12)])
    for host in ("n1", "n3"):
        ledger.add(LedgerEntry(time=1800, kind="host", host=host, price=PRICES[host]))
    cost = ledger.cost(Price(), HOUR)
    assert (cost.amount, cost.per_hour, cost.unknown.cpu_hours, cost.unknown.worker_hours) == (2, 2, 12, 1)
    assert (cost.source, cost.date) == ("one; no price of odd is known", "2026-01-01")
    assert cost.dedicated is not None
    assert (cost.dedicated.amount, cost.dedicated.per_hour, cost.dedicated.unknown_hours) == (8, 8, 1)
    assert ledger.cost(Price(cpu_hour=0.5, source="mine"), HOUR).amount == 2 + 6, "the cluster's price fills the gap"
    ledger.add(LedgerEntry(time=HOUR, kind="close", worker="1"))
    assert ledger.cost(Price(), 2 * HOUR).per_hour is None, "only what has no price runs on"


def test_a_worker_of_which_it_comes_out_later_where_it_is_was_there_all_the_time() -> None:
    ledger = Ledger([opened("1", 0, cpus=2), LedgerEntry(time=10, kind="host", host="n1", price=PRICES["n1"])])
    assert ledger.add(opened("1", 1800, "n1", cpus=4))
    assert not ledger.add(opened("1", 1900, "n1", cpus=8)), "once"
    cost = ledger.cost(Price(), HOUR)
    assert (cost.amount, cost.usage.cpu_hours, cost.unknown.cpu_hours, ledger.most_workers) == (4, 4, 0, 1)
    assert cost.source == "one"
    assert cost.dedicated is not None and cost.dedicated.amount == 8


def test_a_host_that_is_left_before_its_price_is_told_costs_all_the_same() -> None:
    ledger = Ledger([opened("1", 0, "n1"), LedgerEntry(time=HOUR / 2, kind="close", worker="1")])
    assert ledger.cost(Price(), HOUR).dedicated is None
    ledger.add(LedgerEntry(time=HOUR, kind="host", host="n1", price=PRICES["n1"]))
    cost = ledger.cost(Price(), 2 * HOUR)
    assert (cost.amount, cost.per_hour) == (0.5, 0)
    assert cost.dedicated is not None and (cost.dedicated.amount, cost.dedicated.per_hour) == (4, 0)


def test_an_end_that_is_written_late_takes_back_what_came_after_it() -> None:
    ledger = Ledger([opened("1", 0), opened("2", 0), opened("3", 900)])
    ledger.add(LedgerEntry(time=600, kind="close", worker="1", written=1000))
    usage = ledger.usage(1000)
    assert usage.worker_hours * HOUR == pytest.approx(600 + 1000 + 100)


def test_a_receipt_closes_what_was_open_and_adds_up() -> None:
    profile = Profile(name="p", groups=[Group(name="a"), Group(name="b")])
    spec = ClusterSpec(name="c", owner="me", profile=profile, price=Price(cpu_hour=1), created=0)
    ledger = Ledger([opened("1", 0), opened("2", 0, group="b", cpus=3)])
    receipt = receipt_of(ledger, spec, HOUR, "deleted", "gone", tasks=4, runs=2)
    assert ledger.open_workers == []
    assert receipt.cost.amount == 4 and receipt.cost.per_hour == 0
    assert {name: cost.amount for name, cost in receipt.groups.items()} == {"a": 1, "b": 3}
    assert (receipt.ended, receipt.cause, receipt.why, receipt.tasks, receipt.runs) == (HOUR, "deleted", "gone", 4, 2)
    assert str(receipt) == "<c: $4.00 in 1 h, ended: deleted: gone>"


def test_sources_are_named_once_with_their_dates() -> None:
    def priced(*pairs: tuple[str | None, str]) -> tuple[str | None, str]:
        rate = {None: None}
        return sources(Price(cpu_hour=rate.get(source, 1), source=source, date=date) for source, date in pairs)

    assert priced(("a", "d"), ("b", "d"), ("a", "d")) == ("a; b", "d")
    assert priced(("a", "d"), ("b", "e"), ("c", "")) == ("a (d); b (e); c", "")
    assert priced(*((str(number), "d") for number in range(5))) == ("0; 1; 2; 2 more", "d")
    assert priced((None, "")) == (None, ""), "nobody set a price"
    assert priced(("a", "d"), (None, "")) == ("a; no price is set", "d")
    assert priced(("", "")) == ("rates that name no source", ""), "somebody did, and didn't say where it is from"
