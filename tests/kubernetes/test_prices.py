"""Prices of nodes, and a worker's share of one."""

from __future__ import annotations

import os
import random
import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.adjust import Adjustment, Discount, Exchange
from jupyter_mlops.core.errors import InvalidInput, UnknownPriceList
from jupyter_mlops.core.price import GB, REFERENCE, HostPrice, Price
from jupyter_mlops.places.kubernetes.node import is_spot
from jupyter_mlops.places.kubernetes.pricelist import MOST
from jupyter_mlops.pricing import ByHand, Catalogue, Libcloud, Node, NodePrice, SkyPilot
from jupyter_mlops.pricing import lists as own
from jupyter_mlops.pricing.catalogue import rates
from jupyter_mlops.pricing.libcloud import libcloud
from jupyter_mlops.pricing.skypilot import Row

NODE = Node("n", "m5.xlarge", "us-west-2", "us-west-2a", spot=False, cpus=4, memory=16 * 2**30)
CSV = """InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GPUInfo,Region,AvailabilityZone,Price,SpotPrice
m5.xlarge,4,16,,,,us-west-2,us-west-2a,0.192,0.08
m5.xlarge,4,16,,,,us-west-2,us-west-2b,0.192,0.07
m5.xlarge,4,16,,,,eu-west-1,,0.214,
m5.zero,4,16,,,,us-west-2,us-west-2a,0,0
""".splitlines()


def money(price: NodePrice | None) -> float | None:
    return None if price is None else price.per_hour


def test_a_csv_knows_zones_regions_and_spot() -> None:
    table = SkyPilot.read(CSV, "ours.csv", "2026-11-01")
    assert table.price(NODE) == NodePrice(0.192, "m5.xlarge in us-west-2: ours.csv", "2026-11-01")
    assert money(table.price(replace(NODE, spot=True))) == 0.08
    assert money(table.price(replace(NODE, spot=True, zone="us-west-2c"))) == 0.07
    assert money(table.price(replace(NODE, region="eu-west-1", zone="eu-west-1a"))) == 0.214
    assert table.price(replace(NODE, region="eu-west-1", spot=True)) is None
    assert table.price(replace(NODE, kind="m5.zero")) is None
    assert table.price(replace(NODE, kind="unheard.of")) is None


def test_libclouds_table_knows_its_date_and_drops_zeros() -> None:
    content = {
        "updated": 1740936978,
        "compute": {
            "ec2_linux": {"m5.xlarge": {"us-west-2": 0.192, "us-east-1": 0.0, "eu-central-2": 0.0}},
            "ec2_us_east": {"m5.xlarge": "0.192"},
            "azure_linux": {"standardd4sv3": {"westeurope": 0.24}},
            "gce_instances": {
                "n1": {
                    "cpu": {
                        "on_demand": {"us-central1": {"price": 0.03}},
                        "preemptible": {"us-central1": {"price": 0.007}},
                    },
                    "ram": {
                        "on_demand": {"us-central1": {"price": 0.004}},
                        "preemptible": {"us-central1": {"price": 0.001}},
                    },
                }
            },
        },
    }
    table = Libcloud(content)
    price = table.price(NODE)
    assert price is not None and price.per_hour == 0.192 and price.date == "2025-03-02"
    assert money(table.price(replace(NODE, region="us-east-1"))) == 0.192
    assert table.price(replace(NODE, region="eu-central-2")) is None
    assert table.price(replace(NODE, spot=True)) is None
    assert money(table.price(replace(NODE, kind="Standard_D4s_v3", region="westeurope"))) == 0.24
    google = replace(NODE, kind="n1-standard-4", region="us-central1")
    assert money(table.price(google)) == pytest.approx(4 * 0.03 + 16 * 0.004)
    assert money(table.price(replace(google, spot=True))) == pytest.approx(4 * 0.007 + 16 * 0.001)


def test_the_table_that_comes_with_libcloud() -> None:
    pytest.importorskip("libcloud")
    table = libcloud()
    assert table is not None
    price = table.price(NODE)
    assert price is not None and 0.1 < price.per_hour < 1 and price.date.startswith("20")


@pytest.mark.parametrize(
    ("label", "value", "spot"),
    [
        ("eks.amazonaws.com/capacityType", "SPOT", True),
        ("eks.amazonaws.com/capacityType", "spot", True),
        ("eks.amazonaws.com/capacityType", "ON_DEMAND", False),
        ("karpenter.sh/capacity-type", "spot", True),
        ("karpenter.sh/capacity-type", "on-demand", False),
        ("cloud.google.com/gke-spot", "true", True),
        ("kubernetes.azure.com/scalesetpriority", "spot", True),
        ("other", "spot", False),
    ],
)
def test_spot_labels(label: str, value: str, spot: bool) -> None:
    assert is_spot({label: value}) is spot


AMOUNTS = st.floats(0.01, 100)


@given(st.integers(1, 128), st.floats(1, 1000), st.integers(0, 8), AMOUNTS)
def test_a_nodes_rates_add_up_to_its_price(cpus: int, gb: float, gpus: int, per_hour: float) -> None:
    node = Node("n", "k", "r", "z", spot=False, cpus=cpus, memory=gb * GB, gpus=gpus)
    found = rates(node, NodePrice(per_hour, "test"))
    assert found.per_hour(node.cpus, node.memory, node.gpus) == pytest.approx(per_hour)


@given(st.integers(1, 64), st.floats(1, 500), AMOUNTS, st.floats(0, 1), st.floats(0, 1))
def test_a_share_is_never_more_than_the_node(cpus: int, gb: float, per_hour: float, a: float, b: float) -> None:
    node = Node("n", "k", "r", "z", spot=False, cpus=cpus, memory=gb * GB)
    share = rates(node, NodePrice(per_hour, "test")).per_hour(a * cpus, b * gb * GB)
    assert share is not None and 0 <= share <= per_hour * (1 + 1e-9)


def catalogue(rates: Price | None = None, kinds: dict[str, float] | None = None, *nodes: Node) -> Catalogue:
    lists = [SkyPilot.read(CSV, "ours.csv", "2026-11-01")]
    table = Libcloud({"compute": {"ec2_linux": {"x1": {"us-west-2": 2.0, "eu-west-1": 3.0}}}})
    return Catalogue(ByHand(rates or Price(), kinds or {}), lists, table, {node.name: node for node in nodes})


def test_a_node_s_price_and_who_says_so() -> None:
    """By hand goes first, then lists, then libcloud; unknown is unknown, and says of what."""
    price = catalogue().price(NODE)
    assert price.per_hour == 0.192 and price.rates.per_hour(4, 16 * 2**30) == pytest.approx(0.192)
    assert (price.rates.source, price.rates.date) == ("m5.xlarge in us-west-2: ours.csv", "2026-11-01")
    by_kind = catalogue(kinds={"m5.xlarge": 0.5}).price(NODE)
    assert by_kind.per_hour == 0.5 and by_kind.rates.source == "m5.xlarge in us-west-2: set by hand"
    mine = Price(cpu_hour=0.1, source="mine", date="2026-02-02")
    assert catalogue(mine).price(NODE) == HostPrice(rates=mine, per_hour=0.4), "rates are charged as they were set"
    assert catalogue(mine, {"m5.xlarge": 0.5}).price(NODE).per_hour == 0.5
    assert catalogue().price(replace(NODE, kind="x1")).per_hour == 2.0
    for odd in (
        replace(NODE, kind="m5.zero"),
        replace(NODE, kind="x1", spot=True),
        replace(NODE, kind="x1", region=""),
    ):
        price = catalogue().price(odd)
        assert price.per_hour is None and not price.rates.known and str(odd) in price.rates.source
    assert catalogue(Price(currency="EUR")).price(NODE).per_hour is None, "dollars aren't added to euros"


def test_a_list_price_less_a_discount_in_another_currency() -> None:
    exchange = Exchange(rate=0.5, currency="EUR", date="2026-11-01", by="ada")
    adjust = Adjustment(exchange=exchange, discount=Discount(percent=25, date="2026-11-03", by="ada"))
    euros = replace(catalogue(Price(currency="EUR")), adjust=adjust)
    price = Catalogue.unpacked(euros.packed(MOST)).price(NODE)
    assert price.per_hour == pytest.approx(0.192 * 0.75 * 0.5) and price.rates.currency == "EUR"
    assert price.of_list == pytest.approx(0.75)
    spot = Catalogue.unpacked(euros.packed(MOST)).price(replace(NODE, spot=True))
    assert spot.of_list == pytest.approx(0.08 * 0.75 / 0.192), "of the price on demand"
    for part in ("list price $0.192", "− 25 % (set by ada, 2026-11-03)", "$1.00 = €0.50 (set by ada, 2026-11-01)"):
        assert part in (price.rates.source or ""), "both values can be seen, and who said so when"
    pounds = replace(euros, by_hand=ByHand(Price(currency="GBP"))).price(NODE)
    assert pounds.per_hour is None and "say what a dollar is in GBP" in (pounds.rates.source or "")
    by_hand = replace(euros, by_hand=ByHand(Price(currency="EUR"), {"m5.xlarge": 0.5})).price(NODE)
    assert (by_hand.per_hour, by_hand.of_list) == (0.5, 1), "what was set by hand is what is paid"
    dollars = ByHand(Price(currency="EUR", cpu_hour=1), {"m5.xlarge": 0.5}, {"m5.xlarge": "USD"})
    price = Catalogue.unpacked(replace(euros, by_hand=dollars).packed(MOST)).price(NODE)
    assert price.per_hour == 0.25 and "price $0.50; $1.00 = €0.50" in (price.rates.source or ""), "less no discount"
    for currency in ("USD", "CHF"):
        odd = replace(dollars, rates=Price(currency="GBP", cpu_hour=1), currencies={"m5.xlarge": currency})
        price = replace(euros, by_hand=odd).price(NODE)
        assert price.per_hour is None and not price.rates.known, "it is no sum of pounds"
        assert f"is known in {currency} only" in (price.rates.source or "")
    held = adjust.reference(REFERENCE, "EUR")
    assert (held.currency, held.cpu_hour) == ("EUR", pytest.approx(0.031611 / 2))
    assert adjust.reference(REFERENCE, "GBP") == REFERENCE


def test_what_travels_to_the_controller_is_what_its_regions_need() -> None:
    sent = Catalogue.unpacked(catalogue(None, {"odd": 7}, NODE).within().packed(MOST))
    assert sent.nodes == {"n": NODE} and sent.by_hand.kinds == {"odd": 7}
    assert sent.price(NODE) == catalogue().price(NODE)
    assert sent.price(replace(NODE, kind="x1")) == catalogue().price(replace(NODE, kind="x1"))
    assert sent.price(replace(NODE, kind="x1", region="eu-west-1")).per_hour is None, "left out"
    everything = Catalogue.unpacked(catalogue().within().packed(MOST))
    assert everything.price(replace(NODE, kind="x1", region="eu-west-1")).per_hour == 3.0, "no region is known"


def test_a_list_that_is_too_long_is_cut_to_the_kinds_there_are() -> None:
    letters = random.Random(1)
    rows = [
        Row("".join(letters.choices(string.ascii_letters, k=24)), "us-west-2", "", letters.random(), None)
        for _ in range(30_000)
    ]
    long = SkyPilot([*rows, Row("m5.xlarge", "us-west-2", "", 0.2, None)], "long.csv")
    data = replace(catalogue(None, None, NODE), lists=[long]).packed(MOST)
    assert len(data) < MOST
    assert Catalogue.unpacked(data).price(NODE).per_hour == 0.2


def test_a_list_is_checked_line_by_line(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "aws.csv"
    file.write_text("\n".join(CSV))
    os.utime(file, (1_790_000_000, 1_790_000_000))
    assert len(own.bring(file).rows) == 4
    (kept,) = own.lists()
    assert (kept.source, kept.date) == ("aws.csv", "2026-09-21")
    assert money(kept.price(NODE)) == 0.192
    for bad, why in {
        "m5.large,4,16,,,,us-west-2,,cheap,": "Line 6 of aws.csv isn't valid: the Price 'cheap' isn't",
        "m5.large,4,16,,,,us-west-2,,-1,": "the Price '-1' isn't",
        "m5.large,4,16,,,,us-west-2,,1,inf": "the SpotPrice 'inf' isn't",
        "m5.large,4": "it doesn't have the 10 values",
        '"m5': "line 6",
    }.items():
        file.write_text("\n".join([*CSV, bad]))
        with pytest.raises(InvalidInput) as error:
            own.bring(file)
        assert why in str(error.value)
    for columns, why in {
        "InstanceType,Price\n": "has no column Region",
        "InstanceType,Region,Price\n": "no prices",
    }.items():
        file.write_text(columns)
        with pytest.raises(InvalidInput, match=why):
            own.bring(file)
    assert len(own.lists()) == 1, "a file that isn't taken changes nothing"
    with pytest.raises(UnknownPriceList, match=r"Did you mean 'aws.csv'"):
        own.remove("aws.cvs")
    own.remove("aws.csv")
    assert own.lists() == []


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
