"""What the wall counts of a pod, what it may do, and what is said of it. `tests/core/test_wall.py` has its books."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_mlops.core.account import AccountState
from jupyter_mlops.core.errors import InvalidInput, Unavailable
from jupyter_mlops.core.price import HostPrice, Price
from jupyter_mlops.places.kubernetes import names
from jupyter_mlops.places.kubernetes.wall.counted import WalledSpace, counted
from jupyter_mlops.places.kubernetes.wall.ending import word_on
from jupyter_mlops.places.kubernetes.wall.manifests import BEHIND_RULES, WALL, wall_manifests
from jupyter_mlops.places.kubernetes.why import refusal

NODES = {"priced": HostPrice(rates=Price(cpu_hour=0.5, gb_hour=0.25), per_hour=9.0), "unpriced": HostPrice()}
REFERENCE = Price(cpu_hour=0.1, gb_hour=0.0)
RULES = {"contact": "ops@lab.org", "rules": [{"name": "lab", "month": 300}]}


def pod(node: str = "priced", phase: str = "Running", owner: str = "ada-lab.org", **labels: str) -> dict[str, Any]:
    asked = {"requests": {"cpu": "2", "memory": "4G"}}
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-24T10:00:00Z"}
    return {
        "metadata": {
            "uid": "u",
            "creationTimestamp": "2026-11-24T09:00:00Z",
            "labels": {names.OWNER_IN_FULL: owner, **labels},
            "annotations": {names.OWNER_IN_FULL: "ada@lab.org"},
        },
        "spec": {"nodeName": node, "containers": [{"resources": asked}]},
        "status": {"phase": phase, "conditions": [scheduled]},
    }


def test_a_pod_costs_what_it_asks_for_at_its_node_s_rates_or_at_more_than_the_reference() -> None:
    space = WalledSpace("ml")
    priced, other = (counted(pod(node), space, NODES, REFERENCE) for node in ("priced", "unpriced"))
    assert priced is not None and other is not None
    assert (priced.per_hour, priced.priced) == (2 * 0.5 + 4 * 0.25, True)
    assert (other.per_hour, other.priced) == (pytest.approx(1.25 * 0.2), False)
    assert priced.since - other.since == 0 and priced.until is None
    assert counted(pod(""), space, NODES, REFERENCE) is None, "it waits for a node"
    assert counted(pod(phase="Failed"), space, NODES, REFERENCE) is None, "nobody knows when it ended"


def test_whose_a_pod_is_is_up_to_the_namespace_where_that_is_one_user_s() -> None:
    hers, shared = WalledSpace("mlops-bob", "bob"), WalledSpace("ml")
    worker, claimed = pod(**{names.CLUSTER: "c"}), pod(owner="eve")
    assert (hers.owner_of(worker), hers.tab_of(worker)) == ("bob", "bob/cluster c")
    assert (shared.owner_of(worker), shared.tab_of(worker)) == ("ada@lab.org", "ada-lab.org/cluster c")
    assert shared.owner_of(claimed) == "eve", "the annotation is another one's than the label, which the policy reads"
    assert shared.tab_of(pod(**{names.SERVICE: "s"})) == "ada-lab.org/service s"
    assert shared.tab_of(pod()) == "ada-lab.org/pods"


def test_the_wall_reads_no_user_s_secrets_and_has_no_right_that_it_does_not_need() -> None:
    given = wall_manifests("ml", json.dumps(RULES), owner="bob@lab.org", cpus="20")
    assert not any("secrets" in rule["resources"] for rule in BEHIND_RULES)
    (space,) = [each for each in given if each["metadata"]["name"] == "ml"]
    assert space["metadata"]["labels"] == {names.WALL: WALL, names.OWNER_IN_FULL: "bob-lab.org"}
    assert WalledSpace.of(space) == WalledSpace("ml", "bob@lab.org")
    (quota,) = [each for each in given if each["kind"] == "ResourceQuota"]
    assert quota["spec"]["hard"] == {"requests.cpu": "20"}
    wide = [rule for each in given if each["kind"] == "ClusterRole" for rule in each["rules"]]
    assert {verb for rule in wide for verb in rule["verbs"]} == {"get", "list"}
    for each in given:
        for rule in each.get("rules", []):
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]


@pytest.mark.parametrize(
    "rules, error",
    [
        ("{", InvalidInput),
        ('{"rules": [{"name": "lab", "workers": 3}]}', InvalidInput),
        ('{"rules": [{"name": "lab", "month": 3, "currency": "EUR"}]}', Unavailable),
    ],
)
def test_rules_that_a_wall_could_not_keep_are_refused_before_there_is_one(rules: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        wall_manifests("ml", rules)


def test_the_policy_s_words_are_read() -> None:
    denied = "ValidatingAdmissionPolicy 'w' with binding 'w' denied request: the account of ada is empty"
    problem = refusal(403, {"message": f'pods "p" is forbidden: {denied}'})
    assert (problem.what, problem.why) == ("The cluster's policy 'w' refuses the pod", "the account of ada is empty")


def test_what_the_wall_said_is_found_on_a_record_and_what_others_wrote_there_is_nothing() -> None:
    state = AccountState(name="lab", limit=3, step="drain", sentence="s")
    said = {"metadata": {"annotations": {names.WORD: state.model_dump_json()}}}
    assert word_on(said) == state
    assert word_on({"metadata": {"annotations": {names.WORD: "{"}}}) is None
    assert word_on({"metadata": {}}) is None
