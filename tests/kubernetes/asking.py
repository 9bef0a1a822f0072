"""A pod that asks a service again and again, as another pod does."""

from __future__ import annotations

import json
from typing import Any

from ..serving.conftest import until
from .clusters import Namespace

#: Asks over a connection for each request, and says whenever it is to how many requests it has asked since it said so
#: last, how many of them weren't answered at once or in the end, the answers, and the longest time to one. As with any
#: client, a request that found nobody is asked again.
_PROGRAM = """
import http.client, json, os, time
def ask():
    there = http.client.HTTPConnection(os.environ["SERVICE"], 8080, timeout=60)
    there.request("POST", "/predict", "[[1, 2, 3]]", {"Authorization": "Bearer " + os.environ["TOKEN"]})
    answer = there.getresponse()
    body = answer.read()
    there.close()
    return answer.status, json.loads(body).get("predictions")
began = False
while True:
    counts, seen = {"asked": 0, "again": 0, "lost": 0, "longest": 0.0}, set()
    while not os.path.exists("/tmp/tell"):
        counts["asked"] += 1
        at = time.monotonic()
        for pause in (0, 0.1, 1, 5, 20):
            time.sleep(pause)
            try:
                status, told = ask()
                break
            except OSError:
                status, told = 0, None
                counts["again"] += 1
        counts["lost"] += status != 200
        counts["longest"] = max(counts["longest"], time.monotonic() - at)
        seen.add(str(told))
        if not began: print("asking", flush=True)
        began = True
        time.sleep(0.02)
    os.remove("/tmp/tell")
    print(json.dumps({**counts, "seen": sorted(seen)}), flush=True)
"""


class Asking:
    """Such a pod, in the namespace of a service of the model "total"."""

    def __init__(self, namespace: Namespace, token: str) -> None:
        self._kube, self._namespace, self._said = namespace.kube, namespace.name, 0
        container = {
            "name": "asking",
            "image": self._kube.image,
            "args": ["python", "-c", _PROGRAM],
            "env": [
                {"name": "TOKEN", "value": token},
                {"name": "SERVICE", "value": f"total-service.{namespace.name}.svc"},
            ],
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        spec = {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "nodeSelector": {"kubernetes.io/hostname": self._kube.node},
        }
        metadata = {"name": "asking", "namespace": namespace.name}
        self._kube.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        until(lambda: "asking" in self._lines())

    def told(self) -> dict[str, Any]:
        """What became of what it has asked since this was called last."""
        self._kube.kubectl(
            "exec", "asking", "-n", self._namespace, "--", "python", "-c", "open('/tmp/tell', 'w')", check=True
        )
        self._said += 1
        until(lambda: len(self._lines()) > self._said)
        found: dict[str, Any] = json.loads(self._lines()[self._said])
        return found

    def end(self) -> None:
        """It asks no more."""
        self._kube.kubectl("delete", "pod", "asking", "-n", self._namespace, "--wait=false")

    def _lines(self) -> list[str]:
        return self._kube.log("asking", self._namespace).splitlines()
