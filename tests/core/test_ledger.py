"""The ledger adds up, whatever happens in whatever order."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.ledger import Ledger, LedgerEntry
from jupyter_mlops.core.price import GB, HOUR, Price, Usage

NAMES = st.sampled_from(["a-1", "a-2", "b-1", "b-2", "b-3"])
STEPS = st.lists(
    st.tuples(NAMES, st.booleans(), st.floats(0, 10_000), st.floats(0.5, 64), st.floats(1e6, 1e12), st.integers(0, 8)),
    max_size=40,
)


def entries_of(steps: list[tuple[str, bool, float, float, float, int]]) -> list[LedgerEntry]:
    time, entries = 1.7e9, []
    for name, opens, after, cpus, memory, gpus in steps:
        time += after
        if opens:
            shape = {"group": name[0], "cpus": cpus, "memory": memory, "gpus": gpus}
            entries.append(LedgerEntry(time=time, kind="open", worker=name, **shape))
        else:
            entries.append(LedgerEntry(time=time, kind="close", worker=name))
    return entries


def recomputed(entries: list[LedgerEntry], now: float, group: str | None) -> Usage:
    """Each worker's intervals, one by one: slow and plain."""
    total = Usage()
    for name in {entry.worker for entry in entries}:
        opened: LedgerEntry | None = None
        for entry in [entry for entry in entries if entry.worker == name] + [
            LedgerEntry(time=now, kind="close", worker=name)
        ]:
            if entry.kind == "open":
                opened = opened or entry
            elif opened is not None:
                if group in (None, opened.group):
                    total += used(opened, entry.time - opened.time)
                opened = None
    return total


def used(opened: LedgerEntry, seconds: float) -> Usage:
    hours = seconds / HOUR
    return Usage(
        worker_hours=hours,
        cpu_hours=hours * opened.cpus,
        gb_hours=hours * opened.memory / GB,
        gpu_hours=hours * opened.gpus,
    )


def same(one: Usage, other: Usage) -> bool:
    pairs = zip(one.model_dump().values(), other.model_dump().values(), strict=True)
    return all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in pairs)


@given(STEPS, st.floats(0, 10_000))
def test_the_sums_are_those_of_each_worker_s_intervals(
    steps: list[tuple[str, bool, float, float, float, int]], later: float
) -> None:
    entries = entries_of(steps)
    now = (entries[-1].time if entries else 1.7e9) + later
    ledger = Ledger(entries)
    assert same(ledger.usage(now), recomputed(entries, now, None))
    for group in "ab":
        assert same(ledger.usage(now, group), recomputed(entries, now, group))
    assert same(ledger.usage(now, "a") + ledger.usage(now, "b"), ledger.usage(now))


@given(STEPS, st.integers(0, 40))
def test_replaying_any_overlap_changes_nothing(
    steps: list[tuple[str, bool, float, float, float, int]], at: int
) -> None:
    entries = entries_of(steps)
    now = entries[-1].time + 10 if entries else 1.7e9
    once = Ledger(entries)
    again = Ledger(entries)
    for worker in once.open_workers:
        assert not again.add(LedgerEntry(time=now, kind="open", worker=worker, cpus=99))
    assert not again.add(LedgerEntry(time=now, kind="close", worker="nobody"))
    assert same(once.usage(now), again.usage(now))
    assert again.most_workers == once.most_workers <= 5


@given(STEPS, st.floats(-10_000, 0))
def test_a_clock_that_goes_back_takes_nothing_away(
    steps: list[tuple[str, bool, float, float, float, int]], back: float
) -> None:
    ledger, last = Ledger(), 1.7e9
    for entry in entries_of(steps):
        if ledger.add(entry):
            last = entry.time
    before = ledger.usage(last)
    assert same(ledger.usage(last + back), before)
    ledger.add(LedgerEntry(time=last + back, kind="open", worker="c-1", group="c", cpus=1))
    assert same(ledger.usage(last + back), before)
    grown = ledger.usage(last + back + HOUR, "c")
    assert grown.cpu_hours == pytest.approx(1)


def test_when_nobody_is_left_nothing_is_held() -> None:
    ledger = Ledger()
    for number in range(100):
        ledger.add(LedgerEntry(time=0, kind="open", worker=str(number), group="a", cpus=0.1, memory=0.3 * GB))
    for number in range(100):
        ledger.add(LedgerEntry(time=0, kind="close", worker=str(number)))
    assert ledger.per_hour(Price(cpu_hour=1, gb_hour=1)) == 0
    assert ledger.usage(1e9) == Usage()


def test_unknown_money_is_none_and_what_is_known_is_counted() -> None:
    ledger = Ledger([LedgerEntry(time=0, kind="open", worker="a", group="a", cpus=2, memory=4 * GB, gpus=1)])
    cost = ledger.cost(Price(), HOUR)
    assert cost.amount is None
    assert cost.per_hour is None
    assert (cost.usage.cpu_hours, cost.usage.gb_hours, cost.usage.gpu_hours) == (2, 4, 1)
    assert ledger.cost(Price(cpu_hour=1), HOUR).amount is None, "the GPU has no price"
    assert ledger.cost(Price(cpu_hour=1, gb_hour=0.5, gpu_hour=3), HOUR).amount == 2 + 2 + 3


def test_nothing_used_costs_nothing_when_the_price_is_known() -> None:
    assert Ledger().cost(Price(cpu_hour=1), 5).amount == 0
    assert Ledger().cost(Price(), 5).amount is None
