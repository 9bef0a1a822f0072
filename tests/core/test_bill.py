"""Bills: what runs cost, what was saved and rows of exports add up to receipts; what is unknown stays so."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.bill import Bill, BilledRun, next_starts, run_spends
from jupyter_mlops.core.cluster import ClusterSpec, ClusterState, Receipt
from jupyter_mlops.core.costline import By, cost_lines
from jupyter_mlops.core.costrow import cost_rows
from jupyter_mlops.core.ledger import Ledger, LedgerEntry
from jupyter_mlops.core.month import Month, month_sums
from jupyter_mlops.core.price import GB, HOUR, Cost, HostPrice, Price, Usage
from jupyter_mlops.core.profile import Group, Limits, Profile, WorkerShape
from jupyter_mlops.core.receipt import receipt_of
from jupyter_mlops.core.saving import saving_of
from jupyter_mlops.core.spend import PARTS, SpendEntry, SpendParts
from jupyter_mlops.core.unitcost import trends

#: Host → its price: on demand, spot at 30 % of the list, spot that is dearer than on demand, unknown.
HOSTS = {
    "demand": HostPrice(rates=Price(cpu_hour=1.0), per_hour=4.0),
    "spot": HostPrice(rates=Price(cpu_hour=0.3), per_hour=1.2, of_list=0.3),
    "dear": HostPrice(rates=Price(cpu_hour=1.5), per_hour=6.0, of_list=1.5),
    "odd": HostPrice(),
}
#: Workers of the group a had three CPUs before they were sized: they have two.
BEFORE = WorkerShape(cpus=3, memory="1 GB")
NAMES = ["a-1", "a-2", "b-1", "b-2"]
START = float(Month(2026, 11).start)
EVENTS = st.lists(
    st.tuples(st.floats(0, 1e4), st.sampled_from(NAMES), st.sampled_from(list(HOSTS)), st.booleans()), max_size=20
)
PARTS_OF_TIME = st.builds(SpendParts, **{name: st.floats(0, 1e4) for name in PARTS})
MEASURED = st.lists(
    st.builds(SpendEntry, group=st.sampled_from(["a", "b"]), host=st.sampled_from(list(HOSTS)), seconds=PARTS_OF_TIME),
    max_size=4,
)
RUNS = st.lists(
    st.builds(
        BilledRun,
        id=st.uuids().map(str),
        name=st.sampled_from(["resize", "train"]),
        created=st.just(START),
        items=st.integers(0, 1000),
        amount=st.none() | st.floats(0, 50),
    ),
    max_size=4,
)


def close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


def ledger_of(events: Any) -> tuple[Ledger, float]:
    ledger, now = Ledger(), START
    for host, price in HOSTS.items():
        ledger.add(LedgerEntry(time=now, kind="host", host=host, price=price))
    for after, name, host, opens in events:
        now += after
        kind = "open" if opens else "close"
        ledger.add(LedgerEntry(time=now, kind=kind, worker=name, group=name[0], cpus=2, memory=GB, host=host))
    return ledger, now + 100


def ended(events: Any, cause: Any = "user", limits: Limits | None = None, spent: Any = ()) -> Receipt:
    groups = [Group(name="a", before=BEFORE), Group(name="b", spot=True)]
    profile = Profile(name="p", groups=groups, limits=limits or Limits())
    ledger, now = ledger_of(events)
    return receipt_of(
        ledger, ClusterSpec(name="c", owner="ada", profile=profile, created=START), now, cause, spent=spent
    )


def bill_of(receipt: Receipt, **more: Any) -> Bill:
    state = ClusterState(name="c", place="local", profile="p", owner="ada", phase="ended", created=START)
    return Bill.of(state, receipt, []).model_copy(update=more)


@given(EVENTS, MEASURED, RUNS)
def test_what_runs_cost_in_all_adds_up_to_the_cluster_s_cost(events: Any, spent: Any, runs: Any) -> None:
    bill = bill_of(ended(events, spent=spent), runs=runs)
    spends = run_spends(bill)
    assert all(amount >= 0 for spend in spends for amount in (spend.own, *spend.share.amounts))
    for by in get_args(By):
        lines = cost_lines([bill], by)
        assert close(math.fsum(line.amount or 0 for line in lines), bill.cost.amount or 0)
    assert close(math.fsum(spend.total for spend in spends), bill.cost.amount or 0)


def test_who_did_the_work_pays_for_the_waiting() -> None:
    receipt = ended([(0, "a-1", "demand", True), (6 * HOUR - 100, "a-2", "demand", False)])
    parts = SpendParts(computing=6, waiting=1, booting=2, idle=3)
    assert receipt.cost.amount == 12 and receipt.spend is not None
    spend = receipt.spend.model_copy(update={"amount": parts})
    runs = [BilledRun(id=id_, name=id_, created=0, amount=amount) for id_, amount in (("large", 4), ("small", 2))]
    large, small, others = run_spends(bill_of(receipt, runs=runs, spend=spend))
    assert (large.own, small.own, others.own) == (4, 2, 1), "1 of the 7 that tasks cost was of no run"
    assert large.share.booting == pytest.approx(2 * 4 / 7) and small.share.idle == pytest.approx(3 * 2 / 7)
    assert large.total == pytest.approx(4 + 5 * 4 / 7) and others.name == ""


@given(EVENTS, st.floats(0, 48 * HOUR), st.none() | st.floats(1, 1000), st.none() | st.floats(0, 40 * HOUR))
def test_savings_add_up_from_the_baseline_to_what_was_paid(
    events: Any, lifetime: float, budget: float | None, next_start: float | None
) -> None:
    limits = Limits(lifetime=max(1.0, lifetime), budget=budget)
    receipt = ended(events, "idle", limits)
    ledger, now = ledger_of(events)
    assert receipt.baseline is not None
    paid = receipt.cost.amount or 0.0
    at = None if next_start is None else now + next_start
    saving = saving_of(paid, "USD", receipt.baseline, now, at)
    # by hand: all CPU-hours on demand, which is 1.0 for each; then what was held at the end
    known = [(group, part) for (group, _), part in ledger.parts(Price(), now).items() if part.rates.known]
    used = math.fsum(part.used[0] * (3 if group == "a" else 2) / HOUR for group, part in known)
    held = math.fsum(part.held[0] * (3 if group == "a" else 2) for group, part in known)
    hours = max(0.0, min(START + min(max(1.0, lifetime), 24 * HOUR), math.inf if at is None else at) - now) / HOUR
    going_on = held * hours if budget is None else min(held * hours, max(0.0, budget - paid))
    assert close(saving.baseline, used + going_on)
    assert close(saving.baseline - saving.stopped - saving.sized - saving.cheaper, saving.paid)
    assert close(saving.stopped, going_on) and saving.stopped >= 0


def test_a_loss_is_no_saving_and_is_told() -> None:
    events = [(0, "a-1", "dear", True), (HOUR - 100, "a-2", "dear", False)]
    loss = month_sums([bill_of(ended(events))], Month(2026, 11), START + 2 * HOUR)[0].saving
    assert loss is not None and (loss.paid, loss.cheaper, loss.sized) == pytest.approx((3, -1, 1))
    assert month_sums([bill_of(ended(events), baseline=None)], Month(2026, 11), START)[0].saving is None, "nobody knows"


def test_only_a_cluster_that_was_idle_would_have_gone_on_and_not_beside_its_owner_s_next_one() -> None:
    events = [(0, "a-1", "demand", True), (HOUR - 100, "a-2", "demand", False)]
    one, other = (bill_of(ended(events, cause)) for cause in ("idle", "user"))
    later = bill_of(ended([]), id="later", created=START + 3 * HOUR, ended=START + 4 * HOUR)
    saved = [
        month_sums(bills, Month(2026, 11), START + 24 * HOUR)[0].saving for bills in ([one], [one, later], [other])
    ]
    assert [saving.stopped for saving in saved if saving] == pytest.approx([3 * 23, 3 * 2, 0])
    assert next_starts([one, later]) == {one.id: later.created, "later": None}


@given(EVENTS, st.sampled_from(["groups", "no groups", "some"]))
def test_rows_add_up_to_the_receipt_and_what_is_unknown_stays_so(events: Any, which: str) -> None:
    receipt = ended(events)
    kept = {"groups": receipt.groups, "no groups": {}, "some": {"a": receipt.groups["a"]}}[which]
    rows = cost_rows([bill_of(receipt, groups=kept)])
    assert close(math.fsum(row.amount or 0 for row in rows), receipt.cost.amount or 0)
    known = [row for row in rows if row.amount is not None]
    assert not known if receipt.cost.amount is None else known or receipt.cost.amount == 0
    for name in Usage.model_fields:
        assert close(math.fsum(getattr(row, name) for row in rows), getattr(receipt.cost.usage, name))
        lacks = receipt.cost.usage if receipt.cost.amount is None else receipt.cost.unknown
        assert close(math.fsum(getattr(row, f"unknown_{name}") for row in rows), getattr(lacks, name))
    assert which == "no groups" or not rows or {row.spot for row in rows if row.group == "b"} <= {True}


def test_a_million_items_cost_less_than_they_did() -> None:
    bills = []
    for month, items, amount in ((Month(2026, 3), 500_000, 2.05), (Month(2026, 11), 10_000_000, 3.5)):
        name = str(month)
        run = BilledRun(id=name, name="resize", kind="map", created=1, ended=month.start, items=items, amount=1)
        bills.append(bill_of(ended([]), id=name, cost=Cost(amount=amount), groups={}, runs=[run]))
    unpriced = bill_of(ended([]), id="x", runs=[run.model_copy(update={"id": "x", "lacks": True})])
    (trend,) = trends([*bills, unpriced], START)
    assert (trend.items_times, trend.cost_times) == (20, pytest.approx(1.7, abs=0.01))
    assert [month.per_million for month in trend.months] == pytest.approx([4.1, 0.35])
    assert [month.month for month in trend.months] == ["2026-03", "2026-11"]


def test_a_month_has_what_ended_in_it_and_what_lives_now() -> None:
    month, now = Month(2026, 11), START + 15 * 24 * HOUR
    cost = Cost(amount=10.0, per_hour=2.0)
    before = bill_of(ended([]), id="before", ended=START - 1, cost=cost)
    within = bill_of(ended([]), id="within", cost=cost, created=START - HOUR, ended=START)
    live = bill_of(ended([]), id="live", cost=cost, ended=None)
    free = bill_of(ended([]), id="free", cost=Cost(usage=Usage(cpu_hours=3)))
    euros = bill_of(ended([]), id="euros", cost=Cost(amount=1.0, currency="EUR"))
    other, dollars = month_sums([before, within, live, free, euros], month, now)
    assert (other.currency, other.amount, dollars.amount, dollars.per_hour) == ("EUR", 1.0, 20.0, 2.0)
    assert (dollars.clusters, dollars.live, dollars.unpriced, dollars.unknown.cpu_hours) == (3, 1, 1, 3)
    assert dollars.forecast == pytest.approx(40), "half of the month is over"
    (past,) = month_sums([before, within], Month(2026, 10), now)
    assert (past.amount, past.forecast) == (10.0, None)
    assert month_sums([], month, now)[0].amount is None
