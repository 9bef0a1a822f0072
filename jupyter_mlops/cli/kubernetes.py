"""`jupyter mlops kubernetes`: whether you may make clusters there, and what an administrator would apply."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from ..core.errors import InvalidInput, Refused


async def kubernetes(asked: Namespace) -> None:
    """`kubernetes check` and `kubernetes manifests`."""
    if asked.what == "manifests":
        return _manifests(asked)
    return await _check(asked)


def _manifests(asked: Namespace) -> None:
    from ..places.kubernetes.records.manifests import (
        as_yaml,
        controller_manifests,
        driver_manifests,
        hub_manifests,
        manifests,
    )

    if asked.wall:
        sys.stdout.write(as_yaml(_wall(asked)))
        return
    extent = {"nodes": asked.nodes, "operator": asked.operator, "room": asked.room}
    if asked.controller:
        found = controller_manifests(asked.namespace or "default", asked.controller, asked.operator)
    elif asked.driver:
        found = driver_manifests(asked.namespace or "default", asked.driver)
    elif asked.hub:
        found = hub_manifests(asked.hub, asked.user, **extent)
    else:
        found = manifests(asked.namespace or "default", asked.user, asked.service_account, **extent)
    sys.stdout.write(as_yaml(found))


def _wall(asked: Namespace) -> list[dict[str, Any]]:
    """The documents of the wall. Raises `InvalidInput`, `Unavailable`."""
    from ..places.kubernetes.wall.manifests import wall_manifests

    if not asked.rules:
        raise InvalidInput("Which rules is the wall to keep?", todo="Name their file: --rules rules.json.")
    try:
        text = Path(asked.rules).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The rules in {asked.rules} can't be read", str(error), "Name a file of rules.") from None
    most = {"cpus": asked.most_cpus, "memory": asked.most_memory}
    namespace = asked.namespace or (f"mlops-{asked.user}" if asked.hub else "default")
    return wall_manifests(namespace, text, owner=asked.owner or asked.user, image=asked.image, **most)


async def _check(asked: Namespace) -> None:
    from ..places.kubernetes.check import report

    found = await report(asked.context, asked.namespace, asked.controller)
    sys.stdout.write(f"{found.host}, namespace {found.namespace!r}, as {found.user or 'an unknown user'}\n")
    if found.missing and not found.needs_controller:
        sys.stdout.write(f"An administrator would apply:\n\n{found.yaml}\n")
        raise Refused(f"You may not make clusters in the namespace {found.namespace!r} yet", found.why)
    found.raise_missing()
    for loss in found.without:
        sys.stdout.write(f"Works, but {loss}.\n")
    for sentence in [*found.operator, f"{found.guard}."]:
        sys.stdout.write(f"{sentence}\n")
    sys.stdout.write("You may make clusters here.\n")
