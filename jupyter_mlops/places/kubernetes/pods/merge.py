"""A user's pod template over ours, by the rules of Kubernetes' strategic merge."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

#: Lists whose entries are merged by a key, as the API's `patchMergeKey` says, here for what pods have.
_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
}
#: Lists that the API replaces, but where both sides are meant here: a GPU's toleration and a spot node's.
_ADDED = frozenset({"tolerations", "envFrom"})


def merge(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """`patch` over `base`, neither of which is changed.

    Mappings are merged; None removes. Lists whose entries have names are merged entry by entry, an entry with
    `$patch: delete` removes its namesake; tolerations are added; other lists are replaced.
    """
    merged = dict(copy.deepcopy(dict(base)))
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            under = merged.get(key)
            merged[key] = merge(under if isinstance(under, Mapping) else {}, value)
        elif isinstance(value, list):
            merged[key] = _merge_lists(key, merged.get(key), value)
        else:
            merged[key] = value
    return merged


def _merge_lists(field: str, under: object, patch: list[Any]) -> list[Any]:
    base: list[Any] = under if isinstance(under, list) else []
    if field in _ADDED:
        return [*base, *(copy.deepcopy(entry) for entry in patch if entry not in base)]
    key = _KEYS.get(field)
    if key is None or not all(isinstance(entry, Mapping) and key in entry for entry in [*base, *patch]):
        return copy.deepcopy(patch)
    merged = copy.deepcopy(base)
    for entry in patch:
        at = next((i for i, other in enumerate(merged) if other.get(key) == entry[key]), None)
        if entry.get("$patch") == "delete":
            merged = [other for other in merged if other.get(key) != entry[key]]
        elif at is None:
            merged.append(copy.deepcopy(dict(entry)))
        else:
            merged[at] = merge(merged[at], entry)
    return merged
