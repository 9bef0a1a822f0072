"""Exports of costs, as other programs read them, from bills that were kept."""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.core.bill import Bill, BilledRun
from jupyter_mlops.core.month import Month
from jupyter_mlops.core.price import Cost, Usage
from jupyter_mlops.core.saving import CostBaseline
from jupyter_mlops.home import bills
from jupyter_mlops.places import profiles

MONTH = Month(2026, 3)
USED = Usage(worker_hours=4, cpu_hours=8, gb_hours=16)
EVIL = '=cmd("calc")<script>alert(1)</script>'

#: The columns that FOCUS 1.2 has in every dataset, and of them those that may be empty.
MANDATORY = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd",
    "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity",
    "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
}  # fmt: skip
MAY_BE_EMPTY = {"ChargeClass", "SubAccountId", "SubAccountName", "x_PriceDate", "x_PriceSource"}


def bill(name: str, cost: Cost, **more: Any) -> Bill:
    there = {"owner": "ada", "profile": "small", "created": MONTH.start + 60, "ended": MONTH.start + 7260} | more
    return Bill(id=f"{name}.local~1", name=name, place="local", cost=cost, **{"groups": {"a": cost}, **there})


@pytest.fixture
def costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mlops.CostReport:
    """A month with a cluster on spot, one with a part unknown, one without any price, one in other money."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    run = BilledRun(id="0123456789ab", name=EVIL, kind="map", created=1, ended=MONTH.start, items=2000, amount=1.0)
    listed = CostBaseline(listed={"a": 10.0})
    bills.keep(
        [
            bill("cheap", Cost(amount=3.0, usage=USED), spot=["a"], baseline=listed, runs=[run]),
            bill("part", Cost(amount=1.25, usage=USED, unknown=Usage(worker_hours=1, cpu_hours=2)), owner=EVIL),
            bill("unpriced", Cost(usage=USED)),
            bill("barter", Cost(amount=2.0, currency="credits", usage=USED)),
        ]
    )
    bills.keep([bills.kept()["cheap.local~1"]])  # as two processes may, at the same time
    return mlops.costs("2026-03")


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_a_table_has_a_row_for_each_group(costs: mlops.CostReport, tmp_path: Path) -> None:
    (file,) = costs.export(tmp_path / "march.csv")
    rows = {row["cluster"]: row for row in read(file)}
    assert {name: row["amount"] for name, row in rows.items()} == {
        "cheap": "3.0", "part": "1.25", "unpriced": "", "barter": "2.0"
    }  # fmt: skip
    assert (rows["cheap"]["start"], rows["cheap"]["list_amount"]) == ("2026-03-01T00:01:00Z", "10.0")
    assert rows["unpriced"]["unknown_cpu_hours"] == "8.0", "unknown is never nothing"
    assert rows["part"]["owner"] == f"'{EVIL}", "no spreadsheet takes a name for a formula"


def test_focus_has_its_columns_and_what_it_has_no_row_for_is_beside_it(costs: mlops.CostReport, tmp_path: Path) -> None:
    file, rest = costs.export(tmp_path / "march.focus.csv")
    rows = read(file)
    assert {row["ResourceName"] for row in rows} == {"cheap", "part"}
    assert set(rows[0]) >= MANDATORY
    for row in rows:
        assert {name for name, cell in row.items() if not cell} <= MAY_BE_EMPTY
        assert row["BillingPeriodStart"] == "2026-03-01T00:00:00Z" and row["BillingPeriodEnd"] == "2026-04-01T00:00:00Z"
        assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"]
    cheap, part = rows
    assert (cheap["BilledCost"], cheap["ListCost"], cheap["PricingCategory"]) == ("3.0", "10.0", "Dynamic")
    assert (part["PricingQuantity"], part["PricingUnit"], part["ConsumedQuantity"]) == ("3.0", "Worker-Hours", "6.0")
    assert json.loads(cheap["Tags"])["jupyter-mlops/profile"] == "small"
    assert [(row["cluster"], row["amount"], row["cpu_hours"]) for row in read(rest)] == [
        ("part", "", "2.0"), ("unpriced", "", "8.0"), ("barter", "2.0", "8.0")
    ]  # fmt: skip


def test_parquet_has_the_same_rows(costs: mlops.CostReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    (file,) = costs.export(tmp_path / "march.parquet")
    table = parquet.read_table(file)
    assert table.column("amount").to_pylist() == [3.0, 1.25, None, 2.0]
    assert (
        str(table.schema.field("start").type) == "timestamp[us, tz=UTC]" and table.column("spot").to_pylist()[0] is True
    )
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as Python has it where it isn't installed
    with pytest.raises(mlops.errors.Unavailable, match=r"pyarrow isn't installed here. pip install pyarrow"):
        costs.export(tmp_path / "march.parquet")


def test_a_page_needs_nothing_and_runs_nothing(costs: mlops.CostReport, tmp_path: Path) -> None:
    (file,) = costs.export(tmp_path / "march.html")
    page = file.read_text()
    assert "&lt;script&gt;" in page and "<script" not in page and "://" not in page and "default-src 'none'" in page
    assert "$4.25" in page and "credits" in page and "March 2026" in page
    assert "Baseline" in page and "$7.00" in page and "1 of them" not in page


def test_what_it_says(costs: mlops.CostReport, tmp_path: Path) -> None:
    assert str(costs).splitlines()[0].startswith("March 2026: $4.25 + 10.0 CPU-hours unknown, 3 clusters")
    assert "− $7.00 spot and discounts = $3.00 paid" in str(costs)
    amounts = {(line.name, line.currency): line.amount for line in costs.lines("run")}
    assert amounts == {(EVIL, "USD"): 3.0, ("(no run)", "USD"): 1.25, ("(no run)", "credits"): 2.0}
    sized = mlops.Profile.model_validate(
        {"name": "sized", "groups": [{}], "promise": {"profile": "small", "saving": 0.5, "since": 0}}
    )
    profiles.save(sized)
    assert str(mlops.costs("2026-03")).splitlines()[-1].startswith("sized: −50 % promised, measured once there are 3")
    (trend,) = costs.trends
    assert trend.months[0].per_million == pytest.approx(3.0 / 2000 * 1e6)
    for path, why in (("march.xlsx", "can't be exported as '.xlsx'"), ("nowhere/march.csv", "there is no folder")):
        with pytest.raises(mlops.errors.InvalidInput, match=why):
            costs.export(tmp_path / path)
    for typed in ("March", "9999-12"):
        with pytest.raises(mlops.errors.InvalidInput, match="Write it like 2026-11"):
            mlops.costs(typed)
    assert mlops.costs().month == time.strftime("%Y-%m", time.gmtime())
