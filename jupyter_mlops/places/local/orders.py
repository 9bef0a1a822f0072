"""Orders to the fork server: the workers that are wanted.

The first ones are sent as soon as the scheduler listens, while the controller is still being imported, so that workers
start on one CPU while the scheduler does on another. So nothing is imported here, and the spec is read as plain JSON.
"""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path
from typing import TypedDict

#: The most workers that are ordered before the controller is there: few enough for the socket's buffers.
_MOST = 64


class Order(TypedDict):
    """A worker that is wanted. `memory` is its limit in bytes, `scheduler` the address that it connects to."""

    name: str
    group: str
    threads: int
    memory: int
    scheduler: str
    environment: dict[str, str]


def encode(do: str, **message: object) -> bytes:
    """A message to the fork server, as a line of JSON."""
    return json.dumps({"do": do, **message}).encode() + b"\n"


def send_first(channel: socket.socket, spec: Path, scheduler: str) -> dict[str, str]:
    """Order the workers that the cluster in the file `spec` starts with, the first of them at least; returns their
    groups by their names."""
    profile = json.loads(spec.read_text(encoding="utf-8"))["profile"]
    groups: dict[str, str] = {}
    for group in profile["groups"]:
        for number in range(1, group["workers"] + 1):
            order = Order(
                name=f"{group['name']}-{number}",
                group=group["name"],
                threads=max(1, round(group["cpus"])),
                memory=group["memory"],
                scheduler=scheduler,
                environment=profile["environment"],
            )
            if len(groups) < _MOST:
                groups[order["name"]] = order["group"]
                with contextlib.suppress(OSError):  # a dead fork server is replaced, and these workers with it
                    channel.sendall(encode("fork", order=order))
    return groups
