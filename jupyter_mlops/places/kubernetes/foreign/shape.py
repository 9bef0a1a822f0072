"""What a worker of others holds, as its pod asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .. import quantity
from ..clouds import GPU
from ..why.facts import requests

Json = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """CPUs, bytes of memory and GPUs of one worker; zero where its maker named none."""

    cpus: float = 0.0
    memory: float = 0.0
    gpus: float = 0.0

    @property
    def known(self) -> bool:
        """Whether there is something to be paid for. What nobody asked for isn't free, only unknown."""
        return bool(self.cpus or self.memory)


def shape_of(spec: Json) -> Shape:
    """The shape of pods with this spec: what they ask for, else what they are limited to."""
    asked = requests({"spec": spec})
    return Shape(asked.get("cpu", 0.0), asked.get("memory", 0.0), asked.get(GPU, 0.0))


def memory_limit(pod: Json) -> float:
    """Bytes that its containers may use together; zero when nothing limits them."""
    containers = (pod.get("spec") or {}).get("containers") or []
    return sum(_limit(container) for container in containers)


def container_of(spec: Json, wanted: Iterable[str] = ("worker", "scheduler")) -> Json:
    """The container that Dask runs in: named so by dask-kubernetes, the first one elsewhere."""
    containers: list[Json] = spec.get("containers") or [{}]
    return next((each for each in containers if each.get("name") in set(wanted)), containers[0])


def scheduler_port(spec: Json, name: str, otherwise: int) -> int:
    """The port of the scheduler's container with that name."""
    ports = container_of(spec).get("ports") or []
    return next((int(port["containerPort"]) for port in ports if port.get("name") == name), otherwise)


def _limit(container: Json) -> float:
    limits = (container.get("resources") or {}).get("limits") or {}
    return quantity.parse(limits.get("memory", 0))
