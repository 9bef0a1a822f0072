"""Where the money went: the parts are never less than nothing, and add up to the ledger."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.ledger import Ledger, LedgerEntry
from jupyter_mlops.core.price import GB, HOUR, HostPrice, Price
from jupyter_mlops.core.spend import PARTS, Spend, SpendEntry, SpendParts, Told, WorkerTime, measured_in, spend_of

SECONDS = st.floats(0, 1e7)
TOLD = st.builds(Told, *[SECONDS] * 5)
WINDOWS = st.lists(
    st.tuples(st.floats(-100, 1e5), st.sampled_from(["booting", "there", "leaving"]), st.none() | TOLD, st.booleans()),
    max_size=20,
)


@given(WINDOWS, st.integers(1, 8))
def test_a_worker_s_parts_add_up_to_its_time_whatever_it_tells(windows: Any, threads: int) -> None:
    time, now, last = WorkerTime(1e9), 1e9, 1e9
    for step, phase, told, anew in windows:
        now += step
        last = max(last, now)
        if anew:
            time.begin_anew()
        time.go(now, phase, told, threads)
        assert all(part >= 0 for part in time.seconds)
        assert sum(time.seconds) == pytest.approx(last - 1e9, abs=1e-6)


def test_what_a_worker_did() -> None:
    time = WorkerTime(0)
    time.go(60, "booting", None, 2)
    # two threads for 100 s: 120 s with tasks, of which 50 on a CPU and 10 at the disk; 30 s of transfers beside
    time.go(160, "there", Told(120, 50, 10, 30, 4), 2)
    # both threads are busy all the time: what moves meanwhile costs nothing more
    time.go(260, "there", Told(320, 250, 10, 230, 4), 2)
    time.go(270, "leaving", None, 2)
    assert SpendParts.of(time.seconds) == SpendParts(
        computing=125, waiting=30, moving=15, spilling=7, booting=60, idle=23, leaving=10
    )


NAMES, HOSTS = ["a-1", "a-2", "b-1"], ["", "big", "small"]
PARTS_OF_TIME = st.builds(SpendParts, **{name: st.floats(0, 1e5) for name in PARTS})
MEASURED = st.lists(
    st.builds(
        SpendEntry, group=st.sampled_from(["a", "b"]), host=st.sampled_from([*HOSTS, "gone"]), seconds=PARTS_OF_TIME
    ),
    max_size=6,
)
EVENTS = st.lists(
    st.tuples(st.floats(0, 1e4), st.sampled_from(NAMES), st.sampled_from(HOSTS), st.booleans()), max_size=20
)
PRICES = st.sampled_from([Price(), Price(cpu_hour=0.05, gb_hour=0.004), Price(cpu_hour=0)])


@given(EVENTS, MEASURED, PRICES, st.sets(st.sampled_from(HOSTS[1:])))
def test_parts_add_up_to_the_ledger(events: Any, measured: list[SpendEntry], price: Price, told: set[str]) -> None:
    ledger, now = Ledger(), 1e9
    for after, name, host, opens in events:
        now += after
        kind = "open" if opens else "close"
        ledger.add(LedgerEntry(time=now, kind=kind, worker=name, group=name[0], cpus=2, memory=4 * GB, host=host))
    for host in told:  # a price that is told late counts from the beginning
        rates = HostPrice(rates=Price(cpu_hour=0.1, source=host), per_hour=1.0)
        ledger.add(LedgerEntry(time=now, kind="host", host=host, price=rates))
    now += 100
    spend, cost = spend_of(ledger, price, now, measured_in(measured)), ledger.cost(price, now)
    assert all(part >= 0 for part in spend.hours.amounts)
    assert spend.hours.total == pytest.approx(cost.usage.worker_hours, rel=1e-9, abs=1e-9)
    if spend.amount is None:
        assert not cost.amount
    else:
        assert all(part >= 0 for part in spend.amount.amounts)
        assert cost.amount is not None and math.isclose(spend.amount.total, cost.amount, rel_tol=1e-12, abs_tol=1e-9)


def test_each_part_costs_what_its_own_host_costs() -> None:
    ledger = Ledger()
    for host, per_cpu in (("dear", 10.0), ("cheap", 1.0)):
        price = HostPrice(rates=Price(cpu_hour=per_cpu), per_hour=per_cpu)
        ledger.add(LedgerEntry(time=0, kind="host", host=host, price=price))
        ledger.add(LedgerEntry(time=0, kind="open", worker=host, group="a", cpus=1, memory=GB, host=host))
    measured = [
        SpendEntry(group="a", host="dear", seconds=SpendParts(computing=HOUR)),
        SpendEntry(group="a", host="cheap", seconds=SpendParts(idle=HOUR / 2)),
    ]
    spend = spend_of(ledger, Price(), HOUR, measured_in(measured))
    assert spend.amount == SpendParts(computing=10, idle=0.5, overhead=0.5)
    both = spend + Spend(hours=SpendParts(idle=1))
    assert both.hours == SpendParts(computing=1, idle=1.5, overhead=0.5) and both.amount == spend.amount
