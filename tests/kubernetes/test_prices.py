"""Prices of nodes, and a worker's share of one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.backends.kubernetes import prices
from jupyter_mlops.backends.kubernetes.prices import ByHand, Libcloud, Node, NodePrice, SkyPilot, lookup, rates, share
from jupyter_mlops.core.price import GB, Price

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
    table = SkyPilot(CSV, "ours.csv", "2026-11-01")
    assert table.price(NODE) == NodePrice(0.192, "ours.csv", "2026-11-01")
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
    table = prices.libcloud()
    assert table is not None
    price = table.price(NODE)
    assert price is not None and 0.1 < price.per_hour < 1 and price.date.startswith("20")


def test_prices_by_hand_go_first_and_unknown_is_none() -> None:
    by_hand = ByHand({"m5.xlarge": 0.5}, Price())
    assert money(lookup(NODE, [by_hand, SkyPilot(CSV, "x")])) == 0.5
    assert money(lookup(replace(NODE, kind="other"), [ByHand({}, Price(cpu_hour=0.1))])) == pytest.approx(0.4)
    assert lookup(replace(NODE, kind="other"), [by_hand, SkyPilot(CSV, "x")]) is None


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
    assert prices.is_spot({label: value}) is spot


AMOUNTS = st.floats(0.01, 100)


@given(st.integers(1, 128), st.floats(1, 1000), st.integers(0, 8), AMOUNTS)
def test_a_nodes_rates_add_up_to_its_price(cpus: int, gb: float, gpus: int, per_hour: float) -> None:
    node = Node("n", "k", "r", "z", spot=False, cpus=cpus, memory=gb * GB, gpus=gpus)
    found = rates(node, NodePrice(per_hour, "test"))
    assert found.per_hour(node.cpus, node.memory, node.gpus) == pytest.approx(per_hour)


@given(st.integers(1, 64), st.floats(1, 500), AMOUNTS, st.floats(0, 1), st.floats(0, 1))
def test_a_share_is_never_more_than_the_node(cpus: int, gb: float, per_hour: float, a: float, b: float) -> None:
    node = Node("n", "k", "r", "z", spot=False, cpus=cpus, memory=gb * GB)
    price = NodePrice(per_hour, "test")
    part = share(node, price, a * cpus, b * gb * GB)
    assert 0 <= part.attributed <= part.dedicated or (a == b == 0 and part.dedicated == 0)
    whole = share(node, price, cpus, gb * GB)
    assert whole.attributed == pytest.approx(whole.dedicated) == pytest.approx(per_hour)
