"""The peer that does nothing else: pods made by a script, 50 creations at a time."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_mlops.core.cluster import ClusterSpec
from jupyter_mlops.core.profile import Profile
from jupyter_mlops.places.kubernetes.api.client import Api
from jupyter_mlops.places.kubernetes.names import ObjectNames
from jupyter_mlops.places.kubernetes.pods.template import worker_pod

#: Creations at a time: more doesn't make 500 pods come sooner.
AT_ONCE = 50
LABELS = {"app": "bare"}


async def make(profile: Profile, count: int) -> None:
    """Make pods like our workers' of that profile. Returns when they are asked for."""
    spec = ClusterSpec(name="bare", owner="bench", profile=profile, created=1)
    api, gate = await Api.connect(), asyncio.Semaphore(AT_ONCE)
    ids = ObjectNames("bare", api.namespace, 1)

    async def one(number: int) -> None:
        body: dict[str, Any] = worker_pod(spec, profile.groups[0], f"bare-{number}", ids, {})
        body["metadata"] |= {"labels": LABELS, "ownerReferences": []}
        async with gate:
            await api.request("POST", api.path("pods"), body, parse=False)

    try:
        await asyncio.gather(*(one(number) for number in range(count)))
    finally:
        await api.close()


async def remove() -> None:
    """Ask for the end of them all."""
    api = await Api.connect()
    try:
        query = {"labelSelector": "app=bare"}
        await api.request("DELETE", api.path("pods"), query=query, parse=False, timeout=120.0)
    finally:
        await api.close()
