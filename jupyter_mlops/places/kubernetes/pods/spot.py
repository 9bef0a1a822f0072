"""Spot groups that get no nodes: after a while their pods are made on demand."""

from __future__ import annotations

from collections.abc import Collection

from ....core.cluster import ClusterSpec
from ....core.profile import Group
from .. import names
from ..api.client import Json
from ..options import options_of
from . import pods
from .context import waited


class Fallback:
    """Which groups have fallen back; they stay so, since nodes that come and go cost more than they save."""

    def __init__(self, spec: ClusterSpec) -> None:
        self._spec = spec
        self._fallen: set[str] = set()

    def shape(self, group: Group) -> Group:
        """The group as its next pod is made."""
        return group.model_copy(update={"spot": False}) if group.name in self._fallen else group

    def mark(self, group: Group, pod: Json) -> None:
        """Write into a spot group's pod that it is made on demand, if it is."""
        if group.name in self._fallen:
            pod["metadata"]["annotations"][names.ON_DEMAND] = "true"

    def look(self, waiting: Collection[Json]) -> list[Json]:
        """Of the pods that don't come, those to be made again on demand."""
        patience = options_of(self._spec.profile).spot_fallback or float("inf")
        for group in self._spec.profile.groups:
            if group.spot and waited(group.name, waiting) > patience:
                self._fallen.add(group.name)
        return [pod for pod in waiting if self._is_to_fall(pod)]

    def _is_to_fall(self, pod: Json) -> bool:
        fallen = pod["metadata"]["labels"].get(names.GROUP) in self._fallen
        on_demand = names.ON_DEMAND in (pod["metadata"].get("annotations") or {})
        return fallen and not on_demand and not pods.placed(pod)
