"""Dask's scheduler alone, in a process of its own: `python -m benchmarks.kubernetes.plain TLS`; ends with its input."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from distributed import Scheduler

from jupyter_mlops.places import keys


async def main(tls: Path) -> None:
    """Say the address, stay until told to end."""
    security = keys.security(str(tls / "tls.key"), str(tls / "tls.crt"))
    async with Scheduler(protocol="tls", host="127.0.0.1", port=0, security=security, dashboard=False) as scheduler:
        print(scheduler.address, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
