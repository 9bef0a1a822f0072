"""FOCUS 1.2, the FinOps Open Cost and Usage Specification (focus.finops.org): a table that tools for bills read.

All of its mandatory columns are here, and of the others those that are known. Its cost columns may not be empty, so
that what nobody knows the price of has no row in it, and neither has what isn't final, or in no national currency:
`without_row` has these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...core.costrow import CostRow
from ...core.month import Month
from .export import moment, table_of

#: Who says what is in it.
_US = "jupyter-mlops"

_CODE = re.compile(r"[A-Z]{3}")


def _tags(row: CostRow) -> str:
    told = {"owner": row.owner, "profile": row.profile, "group": row.group}
    return json.dumps({f"{_US}/{name}": value for name, value in told.items() if value}, ensure_ascii=False)


def _month(row: CostRow) -> Month:
    """The month in which it is billed: that in which the cluster ended."""
    return Month.at(row.start if row.end is None else row.end)


def _known_hours(row: CostRow) -> float:
    return row.worker_hours - row.unknown_worker_hours


#: Column → what it has for a row. Names and units are the specification's; `x_` begins those that it leaves to others.
_COLUMNS: Mapping[str, Callable[[CostRow], Any]] = {
    "BilledCost": lambda row: row.amount,
    "BillingAccountId": lambda row: row.owner,
    "BillingAccountName": lambda row: row.owner,
    "BillingCurrency": lambda row: row.currency,
    "BillingPeriodEnd": lambda row: moment(_month(row).end),
    "BillingPeriodStart": lambda row: moment(_month(row).start),
    "ChargeCategory": lambda row: "Usage",
    "ChargeClass": lambda row: None,
    "ChargeDescription": lambda row: f"Workers of {row.cluster}" + (f", group {row.group}" if row.group else ""),
    "ChargeFrequency": lambda row: "Usage-Based",
    "ChargePeriodEnd": lambda row: moment(row.end),
    "ChargePeriodStart": lambda row: moment(row.start),
    "ConsumedQuantity": lambda row: row.cpu_hours - row.unknown_cpu_hours,
    "ConsumedUnit": lambda row: "Core-Hours",
    "ContractedCost": lambda row: row.amount,
    "EffectiveCost": lambda row: row.amount,
    "InvoiceIssuerName": lambda row: _US,
    "ListCost": lambda row: row.list_amount,
    "PricingCategory": lambda row: "Dynamic" if row.spot else "Standard",
    "PricingQuantity": _known_hours,
    "PricingUnit": lambda row: "Worker-Hours",
    "ProviderName": lambda row: row.place,
    "PublisherName": lambda row: _US,
    "ResourceId": lambda row: row.cluster_id,
    "ResourceName": lambda row: row.cluster,
    "ResourceType": lambda row: "Dask cluster",
    "ServiceCategory": lambda row: "Compute",
    "ServiceName": lambda row: "Dask workers",
    "ServiceSubcategory": lambda row: "Other (Compute)",
    "SubAccountId": lambda row: row.namespace or None,
    "SubAccountName": lambda row: row.namespace or None,
    "Tags": _tags,
    "x_PriceDate": lambda row: row.price_date or None,
    "x_PriceSource": lambda row: row.price_source,
}


def focus_of(rows: Iterable[CostRow]) -> bytes:
    """These rows in FOCUS 1.2, as CSV: those that can have one."""
    found = [row for row in rows if _has_row(row)]
    return table_of(list(_COLUMNS), ([column(row) for column in _COLUMNS.values()] for row in found))


def without_row(rows: Iterable[CostRow]) -> list[CostRow]:
    """What of these rows FOCUS has no row for: without a price, not final, or in no national currency."""
    left = []
    for row in rows:
        if not _has_row(row):
            left.append(row)
        elif row.unknown_worker_hours:
            hours = {name: getattr(row, f"unknown_{name}") for name in _HOURS}
            left.append(row.model_copy(update={**hours, "amount": None, "list_amount": None}))
    return left


_HOURS = ("worker_hours", "cpu_hours", "gb_hours", "gpu_hours")


def _has_row(row: CostRow) -> bool:
    return row.amount is not None and row.end is not None and _CODE.fullmatch(row.currency) is not None
