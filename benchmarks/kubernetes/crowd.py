"""Many Dask workers in one process, each with the name of a pod: `python -m benchmarks.kubernetes.crowd ADDRESS TLS`.

Reads names, a line each, until an empty line; says "joined" when all have; ends with its input.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import dask
from distributed import Worker

from jupyter_mlops.places import keys

#: Workers that join at the same moment, as pods do that started together.
AT_ONCE = 50


async def main(address: str, tls: Path, names: list[str]) -> None:
    """Join, stay until told to end."""
    security = keys.security(str(tls / "tls.key"), str(tls / "tls.crt"))
    gate = asyncio.Semaphore(AT_ONCE)
    resources = {"group:default": 1_000_000.0}

    async def join(name: str) -> None:
        async with gate:
            await Worker(address, name=name, nthreads=1, memory_limit=0, security=security, resources=resources)

    with dask.config.set({"distributed.worker.http.routes": [], "distributed.admin.system-monitor.interval": "10s"}):
        await asyncio.gather(*(join(name) for name in names))
    print("joined", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    wanted = list(iter(lambda: sys.stdin.readline().strip(), ""))
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), wanted))
