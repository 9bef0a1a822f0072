"""What workers would cost on the nodes that there are, said before any is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.core.estimate import Quote
from jupyter_mlops.core.price import GB, Price
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.home import settings
from jupyter_mlops.places.kubernetes.market import quotes_of
from jupyter_mlops.places.kubernetes.pods.fit import Offer
from jupyter_mlops.pricing import Node, NodePrice
from jupyter_mlops.pricing import lists as own
from jupyter_mlops.pricing.catalogue import rates

LIST = """InstanceType,Region,AvailabilityZone,Price,SpotPrice
m5.xlarge,us-west-2,,0.192,0.07
m5.16xlarge,us-west-2,,4.0,
cheap,us-west-2,,0.1,
"""


def offer(kind: str, cpus: int, *, spot: bool = False, taint: str = "", **labels: str) -> Offer:
    """A node as the API has it. A part of its CPUs is the system's, as on real ones."""
    marks = {"node.kubernetes.io/instance-type": kind, "topology.kubernetes.io/region": "us-west-2", **labels}
    marks |= {"eks.amazonaws.com/capacityType": "SPOT"} if spot else {}
    state = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    taints = [state, *([{"key": taint, "value": "yes", "effect": "NoSchedule"}] if taint else [])]
    capacity = {"cpu": str(cpus), "memory": f"{4 * cpus}Gi", "pods": "110"}
    status = {"capacity": capacity, "allocatable": {**capacity, "cpu": f"{cpus * 1000 - 100}m"}}
    return Offer.of(
        {"metadata": {"name": f"{kind}-{spot}", "labels": marks}, "spec": {"taints": taints}, "status": status}
    )


NODES = [
    offer("m5.xlarge", 4),
    offer("m5.16xlarge", 64, pool="big"),
    offer("m5.xlarge", 4, spot=True),
    offer("cheap", 64, taint="team"),
    offer("odd", 128),
]


def share(per_hour: float, cpus: float, gib: float, of_cpus: int) -> float:
    """A pod's share of a node with so many CPUs."""
    node = Node("n", "", "", "", spot=False, cpus=of_cpus, memory=4 * of_cpus * 2**30)
    found = rates(node, NodePrice(per_hour, "")).per_hour(cpus, gib * 2**30)
    assert found is not None
    return found


@pytest.fixture
def quote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The quote for a group, by a price list of the user's."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    (tmp_path / "ours.csv").write_text(LIST)
    own.bring(tmp_path / "ours.csv")

    def quote(group: Group, offers: list[Offer] = NODES, **profile: Any) -> Quote:
        made = Profile(name="p", place="kubernetes", groups=[group], **profile)
        (found,) = quotes_of(made, made.price or settings.load().price, offers)
        return found

    return quote


def test_a_worker_costs_its_share_of_the_cheapest_node_that_takes_it(quote: Any) -> None:
    small = quote(Group(cpus=1, memory=2 * 2**30, workers=5))
    assert small.per_hour == small.at_most == pytest.approx(share(0.192, 1, 2, 4))
    assert small.whole == pytest.approx(2 * 0.192), "three workers fit on a node, of which the system has a part"
    assert small.source == "m5.xlarge in us-west-2: ours.csv" and small.date
    whole = quote(Group(cpus=4, memory=2 * 2**30, workers=1))
    assert whole.per_hour == pytest.approx(share(4.0, 4, 2, 64)), "a node of four CPUs hasn't four to give"


def test_spot_may_become_on_demand(quote: Any) -> None:
    group = Group(spot=True, memory=2 * 2**30)
    found = quote(group)
    assert found.per_hour == pytest.approx(share(0.07, 1, 2, 4)) and "spot" in found.source
    assert found.at_most == pytest.approx(share(0.192, 1, 2, 4))
    assert quote(group, options={"spot_fallback": None}).at_most == found.per_hour
    some = quote(group.model_copy(update={"base": 1, "workers": 4}), options={"spot_fallback": None})
    assert some.per_hour == pytest.approx((3 * share(0.07, 1, 2, 4) + share(0.192, 1, 2, 4)) / 4)
    assert some.whole == pytest.approx(0.07 + 0.192), "three on a spot node, one on another"
    alone = quote(group, [NODES[2]])
    assert alone.per_hour == found.per_hour and alone.at_most is None, "on demand has no price here"
    none = quote(group, NODES[:1])
    assert none.per_hour is None and none.source == "no spot node that is there takes a worker of 1 CPU and 2.1 GB"


def test_labels_and_taints_count(quote: Any) -> None:
    tolerates = {"pod": {"spec": {"tolerations": [{"key": "team", "operator": "Exists"}]}}}
    assert "cheap" in quote(Group(options=tolerates)).source
    assert "m5.16xlarge" in quote(Group(options={"pod": {"spec": {"nodeSelector": {"pool": "big"}}}})).source
    needs = [{"matchExpressions": [{"key": "pool", "operator": "Exists"}]}]
    wanted = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": needs}}}
    assert "m5.16xlarge" in quote(Group(options={"pod": {"spec": {"affinity": wanted}}})).source


def test_nothing_is_guessed(quote: Any) -> None:
    odd = quote(Group(cpus=100, memory=2 * 2**30))
    assert odd.per_hour is None and odd.source == "no price of odd in us-west-2 is known"
    assert quote(Group(cpus=500)).source == "no node on demand that is there takes a worker of 500 CPUs and 2.1 GB"
    assert quote(Group(), []).source == "Kubernetes has no node now"
    assert quote(Group(), price=Price(currency="EUR")).per_hour is None


def test_prices_of_instance_types_by_hand_go_before_rates(quote: Any) -> None:
    settings.save(settings.load().model_copy(update={"kinds": {"odd": 0.01}, "price": Price(cpu_hour=1)}))
    found = quote(Group(memory=2 * 2**30))
    assert found.per_hour == pytest.approx(share(0.01, 1, 2, 128)) and "odd" in found.source
    assert quote(Group(memory=GB), [NODES[0]]).per_hour == 1
