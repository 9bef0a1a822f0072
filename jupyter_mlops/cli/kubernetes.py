"""`jupyter mlops kubernetes`: whether you may make clusters there, and what an administrator would apply."""

from __future__ import annotations

import sys
from argparse import Namespace

from ..core.errors import Refused


async def kubernetes(asked: Namespace) -> None:
    """`kubernetes check` and `kubernetes manifests`."""
    if asked.what == "manifests":
        return _manifests(asked)
    return await _check(asked)


def _manifests(asked: Namespace) -> None:
    from ..places.kubernetes.records.manifests import as_yaml, hub_manifests, manifests

    extent = {"nodes": asked.nodes, "operator": asked.operator, "room": asked.room}
    if asked.hub:
        found = hub_manifests(asked.hub, asked.user, **extent)
    else:
        found = manifests(asked.namespace or "default", asked.user, asked.service_account, **extent)
    sys.stdout.write(as_yaml(found))


async def _check(asked: Namespace) -> None:
    from ..places.kubernetes.check import report

    found = await report(asked.context, asked.namespace)
    sys.stdout.write(f"{found.host}, namespace {found.namespace!r}, as {found.user or 'an unknown user'}\n")
    for loss in found.without:
        sys.stdout.write(f"Works, but {loss}.\n")
    for sentence in found.operator:
        sys.stdout.write(f"{sentence}\n")
    if not found.missing:
        sys.stdout.write("You may make clusters here.\n")
        return
    sys.stdout.write(f"Missing rights: {', '.join(map(str, found.missing))}.\nAn administrator would apply:\n\n")
    sys.stdout.write(found.yaml)
    raise Refused(f"You may not make clusters in the namespace {found.namespace!r} yet")
