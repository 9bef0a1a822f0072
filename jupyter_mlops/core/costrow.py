"""Rows of an export: what each group of each cluster cost. Those of a cluster add up to its receipt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .base import Label, Record, Time
from .bill import Bill
from .price import Cost, Source
from .profile import Place


class CostRow(Record):
    """What one group of one cluster cost; what is in no group has an empty one. Hours are of workers, CPUs, GB and
    GPUs.

    `amount` is None where nobody knows it, and the `unknown_…` hours are those that it leaves out. `list_amount` is
    what `amount` would be on demand at list prices; the same where no list price is known.
    """

    start: Time
    #: None while it lives.
    end: Time | None
    place: Place
    namespace: Label = ""
    cluster: Label
    cluster_id: Label
    profile: Label = ""
    owner: Label
    group: Label = ""
    spot: bool = False
    currency: str = "USD"
    amount: float | None = None
    list_amount: float | None = None
    worker_hours: float = 0
    cpu_hours: float = 0
    gb_hours: float = 0
    gpu_hours: float = 0
    unknown_worker_hours: float = 0
    unknown_cpu_hours: float = 0
    unknown_gb_hours: float = 0
    unknown_gpu_hours: float = 0
    price_source: Source = None
    price_date: str = ""


def cost_rows(bills: Iterable[Bill]) -> list[CostRow]:
    """The rows of these bills, in their order."""
    return [row for bill in bills for row in _rows(bill)]


def _rows(bill: Bill) -> Sequence[CostRow]:
    groups = [(name, cost) for name, cost in bill.groups.items() if cost.usage.worker_hours or cost.amount is not None]
    rest = bill.rest
    if rest is not None or not groups:
        groups.append(("", bill.cost if rest is None else rest))
    return [_row(bill, name, cost) for name, cost in groups]


def _row(bill: Bill, group: str, cost: Cost) -> CostRow:
    unknown = cost.usage if cost.amount is None else cost.unknown
    listed = None if bill.baseline is None else bill.baseline.listed.get(group)
    return CostRow(
        start=bill.created,
        end=bill.ended,
        place=bill.place,
        namespace=bill.namespace,
        cluster=bill.name,
        cluster_id=bill.id,
        profile=bill.profile,
        owner=bill.owner,
        group=group,
        spot=group in bill.spot,
        currency=cost.currency,
        amount=cost.amount,
        list_amount=cost.amount if cost.amount is None or listed is None else listed,
        worker_hours=cost.usage.worker_hours,
        cpu_hours=cost.usage.cpu_hours,
        gb_hours=cost.usage.gb_hours,
        gpu_hours=cost.usage.gpu_hours,
        unknown_worker_hours=unknown.worker_hours,
        unknown_cpu_hours=unknown.cpu_hours,
        unknown_gb_hours=unknown.gb_hours,
        unknown_gpu_hours=unknown.gpu_hours,
        price_source=cost.source,
        price_date=cost.date,
    )
