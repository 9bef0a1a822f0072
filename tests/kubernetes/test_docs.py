"""The profiles in docs/kubernetes.md are valid, and make pods."""

from __future__ import annotations

import json
import re

import pytest

from jupyter_mlops.core.cluster import ClusterSpec
from jupyter_mlops.places import profiles
from jupyter_mlops.places.kubernetes.names import ObjectNames
from jupyter_mlops.places.kubernetes.options import pod_of
from jupyter_mlops.places.kubernetes.pods.template import scheduler_pod, worker_pod

from .kube import REPOSITORY

BLOCKS = re.findall(r"```jsonc\n(.*?)```", (REPOSITORY / "docs" / "kubernetes.md").read_text(), re.S)


@pytest.mark.parametrize("text", BLOCKS, ids=lambda text: json.loads(_plain(text))["name"])
def test_a_profile_in_the_docs(text: str) -> None:
    profile = profiles.read(json.loads(_plain(text)))
    spec, ids = ClusterSpec(name="one", owner="ann", profile=profile, created=0), ObjectNames("one", "ml")
    assert scheduler_pod(spec, ids)["spec"]
    for group in profile.groups:
        pod = worker_pod(spec, group, f"{group.name}-1", ids, {})
        selector = pod_of(group).get("spec", {}).get("nodeSelector", {})
        assert pod["spec"].get("nodeSelector", {}).items() >= selector.items()
        assert ("affinity" in pod["spec"]) == group.spot


def test_there_are_some_for_each_cloud() -> None:
    assert len(BLOCKS) >= 3


def _plain(text: str) -> str:
    """JSON without comments."""
    return re.sub(r"\s//.*", "", text)
