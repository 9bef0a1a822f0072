"""Two hundred Dask workers join, one for each pod that runs: how long the scheduler's loop stands still meanwhile."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from distributed import Client

from jupyter_mlops.places import keys

from ..measure import Result, bounded
from . import stalls
from .sight import Sight
from .site import Site

WORKERS = 200
NAME = "join"

#: Seconds after the last has joined, in which the controller tells of it.
AFTER = 3.0


def run(site: Site, sight: Sight, folder: Path) -> Iterator[Result]:
    """Ours, for whose pods they stand in, and Dask's scheduler alone with as many workers."""
    cluster = site.start(NAME, WORKERS, fake=True)
    try:
        sight.until(lambda seen: len(seen.running) == WORKERS)
        names = sorted(sight.running)
        address, tls = scheduler(site, folder)
        ours = joined(address, tls, names)
    finally:
        cluster.stop()
    theirs = alone(tls, names)
    longest, peers = (max((stall["seconds"] for stall in each), default=0.0) for each in (ours, theirs))
    note = (
        f"the loop's longest stall of all was {longest * 1000:.0f} ms, of Dask's scheduler alone {peers * 1000:.0f} ms"
    )
    caused = max((stall["ours"] for stall in ours), default=0.0)
    what = f"{WORKERS} Dask workers join: the scheduler's longest stall in our code"
    yield bounded(what, "ms", caused * 1000, 200, note)


def scheduler(site: Site, folder: Path) -> tuple[str, Path]:
    """The address of the scheduler's pod, and a folder with the cluster's keys."""
    tls = folder / "tls"
    tls.mkdir()
    secret = json.loads(site.kube.kubectl("get", "secret", f"{NAME}-tls", "-n", site.namespace, "-o", "json"))
    for name in ("tls.key", "tls.crt"):
        (tls / name).write_bytes(base64.b64decode(secret["data"][name]))
    pods = site.kube.get("pods", site.namespace, f"jupyter-mlops/cluster={NAME},jupyter-mlops/part=scheduler")
    return f"tls://{pods[0]['status']['podIP']}:8786", tls


def alone(tls: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """The stalls of a scheduler of Dask's own."""
    with program("plain", str(tls)) as process:
        assert process.stdout is not None
        try:
            return joined(process.stdout.readline().strip(), tls, names)
        finally:
            process.kill()


def program(name: str, *arguments: str) -> subprocess.Popen[str]:
    """A program of this package, in a process of its own."""
    command = [sys.executable, "-m", f"{__package__}.{name}", *arguments]
    pipe = subprocess.PIPE  # what it logs when its peer is killed is of no interest
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)


def joined(address: str, tls: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """The stalls while workers of these names join the scheduler at `address`."""
    security = keys.security(str(tls / "tls.key"), str(tls / "tls.crt"))
    with Client(address, security=security, set_as_default=False) as client:
        client.run_on_scheduler(stalls.watch)
        with program("crowd", address, str(tls)) as crowd:
            assert crowd.stdin is not None and crowd.stdout is not None
            try:
                crowd.stdin.write("".join(f"{name}\n" for name in [*names, ""]))
                crowd.stdin.flush()
                assert crowd.stdout.readline() == "joined\n"
                time.sleep(AFTER)
                found: list[dict[str, Any]] = client.run_on_scheduler(stalls.found)
            finally:
                crowd.kill()
    return found
