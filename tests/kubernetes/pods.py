"""Pods, events and nodes as the API tells of them, for the tests of sentences."""

from __future__ import annotations

from typing import Any


def pod(status: dict[str, Any] | None = None, node: str | None = None, cpu: str = "4", **spec: Any) -> dict[str, Any]:
    requests = {"cpu": cpu, "memory": "8Gi"}
    container = {
        "name": "worker",
        "image": "acme/work:1",
        "resources": {"requests": requests, "limits": {"memory": "8Gi"}},
    }
    return {
        "metadata": {
            "name": "c-default-worker-1",
            "uid": "1",
            "labels": {"jupyter-mlops/worker": "default-1", "jupyter-mlops/group": "default"},
        },
        "spec": {"containers": [container], **({"nodeName": node} if node else {}), **spec},
        "status": status or {"phase": "Pending"},
    }


def unschedulable(message: str, reason: str = "Unschedulable") -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    return {"phase": "Pending", "conditions": [condition]}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {
        "phase": "Pending",
        "containerStatuses": [{"name": "worker", "image": "acme/work:1", "state": state, **more}],
    }


def terminated(code: int, reason: str = "Error", **more: Any) -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "reason": reason, **more}}
    return {"phase": "Failed", "containerStatuses": [{"name": "worker", "image": "acme/work:1", "state": state}]}


def disrupted(reason: str, message: str = "") -> dict[str, Any]:
    return {
        "phase": "Failed",
        "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}],
    }


def event(reason: str, message: str = "") -> dict[str, Any]:
    return {"reason": reason, "message": message, "metadata": {"uid": reason}}
