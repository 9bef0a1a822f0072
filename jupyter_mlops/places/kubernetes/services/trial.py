"""What the pods of a service have more while a version is tried: that version, and a right to the board on which all of
them agree who answers. Makes nothing."""

from __future__ import annotations

from typing import Any

from ....core.board import POD
from ....core.profile import Profile
from .. import names
from ..names import ServiceNames
from ..pods.template import REPLICA, replica_pod
from ..records.manifests import bound
from .parcel import ServiceParcel

Json = dict[str, Any]

#: The label of boards.
BOARD = "board"


def volume_of(name: str, parcel: ServiceParcel, ids: ServiceNames) -> Json:
    """The volume with the parts of a version."""
    sources = [
        {"secret": {"name": ids.part(parcel.digest, n), "items": [{"key": "part", "path": f"part-{n:03}"}]}}
        for n in range(parcel.count)
    ]
    return {"name": name, "projected": {"sources": sources}}


def trial_template(ids: ServiceNames, salt: str, tried: ServiceParcel, account: str | None) -> Json:
    """What is merged into the template of pods.

    Parameters
    ----------
    account : the service account that the profile's own template names, which gets the right then.
    """
    container = {
        "name": REPLICA,
        "env": [{"name": POD, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "volumeMounts": [{"name": "tried", "mountPath": names.TRIED_PARTS, "readOnly": True}],
    }
    return {
        "metadata": {"labels": {names.TRIAL: salt}},
        "spec": {
            "serviceAccountName": account or ids.board(salt),
            "automountServiceAccountToken": True,
            "containers": [container],
            "volumes": [volume_of("tried", tried, ids)],
        },
    }


def account_of(profile: Profile, ids: ServiceNames, salt: str) -> str:
    """The service account of its pods: one of their own, unless the profile's template names another."""
    return str(replica_pod(profile, ids.whole, [])["spec"].get("serviceAccountName") or ids.board(salt))


def rights(ids: ServiceNames, salt: str, account: str, metadata: Json) -> dict[str, Json]:
    """The account, role and binding by which pods read and change their board, by the path of their kind."""
    name = ids.board(salt)
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [name], "verbs": ["get", "patch"]}
    made = bound(name, ids.namespace, metadata, [rule])
    if account != name:  # the profile's own, which is there
        del made["serviceaccounts"]
        made["rolebindings"]["subjects"][0]["name"] = account
    return made
