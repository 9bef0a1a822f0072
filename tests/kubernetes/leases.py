"""The heartbeats of fake nodes: Kubernetes gives up nodes that it hears nothing of for 50 seconds."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from jupyter_mlops.client.clusters.kernel import loop_thread
from jupyter_mlops.places.kubernetes.api.client import MERGE_PATCH, Answer, Api, Unreachable

GROUP = "coordination.k8s.io/v1"
LEASES = f"/apis/{GROUP}/namespaces/kube-node-lease/leases"
LABELS = {"mlops-test": "true"}

#: Seconds in which each node is heard of once.
EVERY = 25.0


@contextmanager
def beating(nodes: int) -> Iterator[None]:
    """Keep `fake-0`, `fake-1`, … alive."""
    beats = loop_thread().spawn(_beat([f"fake-{number}" for number in range(nodes)]))
    try:
        yield
    finally:
        beats.cancel()
        loop_thread().call(_remove())


async def _beat(nodes: list[str]) -> None:
    api = await Api.connect()
    try:
        for node in nodes:
            metadata = {"name": node, "namespace": "kube-node-lease", "labels": LABELS}
            spec = {"holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": _now()}
            body = {"apiVersion": GROUP, "kind": "Lease", "metadata": metadata, "spec": spec}
            with suppress(Answer, Unreachable):  # somebody who was killed has left it
                await api.request("POST", LEASES, body, parse=False)
        while True:
            for node in nodes:
                await asyncio.sleep(EVERY / len(nodes))
                body = {"spec": {"renewTime": _now()}}
                with suppress(Answer, Unreachable):  # the API is busy: there is a next time
                    await api.request("PATCH", f"{LEASES}/{node}", body, content=MERGE_PATCH, parse=False)
    finally:
        await api.close()


async def _remove() -> None:
    api = await Api.connect()
    try:
        with suppress(Answer, Unreachable):  # they keep nobody alive
            await api.request("DELETE", LEASES, query={"labelSelector": "mlops-test=true"}, parse=False)
    finally:
        await api.close()


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
