"""What the API's JSON of a node says of what decides on its price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...pricing import Node
from . import quantity
from .clouds import GPU, SPOT_LABELS


def is_spot(labels: Mapping[str, str]) -> bool:
    """Whether a node with these labels may be taken back by its cloud."""
    return any(str(labels.get(key, "")).lower() in {v.lower() for v in values} for key, values in SPOT_LABELS)


def node_of(node: Mapping[str, Any]) -> Node:
    """The `Node` of the API's JSON."""
    labels = node["metadata"].get("labels") or {}
    capacity = (node.get("status") or {}).get("capacity") or {}
    return Node(
        name=node["metadata"]["name"],
        kind=labels.get("node.kubernetes.io/instance-type", ""),
        region=labels.get("topology.kubernetes.io/region", ""),
        zone=labels.get("topology.kubernetes.io/zone", ""),
        spot=is_spot(labels),
        cpus=quantity.parse(capacity.get("cpu", 0)),
        memory=quantity.parse(capacity.get("memory", 0)),
        gpus=quantity.parse(capacity.get(GPU, 0)),
    )
