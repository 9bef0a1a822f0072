"""Whether a request is lost while one version takes over from another, again and again, under load."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

import numpy as np

import jupyter_mlops as mlops

from ..measure import Result, bounded
from . import models
from .load import Target, answer

#: Swaps; they take a second or two each.
SWAPS = int(os.environ.get("BENCH_SWAPS", "1000"))

#: Connections that ask all the time, seconds between an answer and the next request, and for an answer.
CONNECTIONS, PAUSE, PATIENCE = 4, 0.002, 30.0


class Asking(threading.Thread):
    """Asks until it is told to stop. `answered` counts by version, `lost` by what came in place of an answer."""

    def __init__(self, target: Target) -> None:
        super().__init__(daemon=True)
        self._target, self._ended = target, threading.Event()
        self.answered: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()

    def run(self) -> None:
        asyncio.run(self._all())

    def end(self) -> None:
        """Ask no more; returns when what was asked is answered."""
        self._ended.set()
        self.join()

    async def _all(self) -> None:
        await asyncio.gather(*(self._one() for _ in range(CONNECTIONS)))

    async def _one(self) -> None:
        where, request = urlsplit(self._target.url), self._target.request
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        while not self._ended.is_set():
            try:
                writer.write(request)
                status, body = await asyncio.wait_for(answer(reader), PATIENCE)
                if status == 200:
                    self.answered[json.loads(body)["model_version"]] += 1
                else:
                    self.lost[f"{status} {body[:200]!r}"] += 1
            except (OSError, EOFError, ValueError, asyncio.TimeoutError) as error:
                self.lost[f"{type(error).__name__}: {error}"] += 1
                writer.close()
                reader, writer = await asyncio.open_connection(where.hostname, where.port)
            await asyncio.sleep(PAUSE)
        writer.close()


def run() -> Iterator[Result]:
    """Two versions in turn."""
    for by in (1.0, 2.0):
        mlops.save_model(lambda X, by=by: by * X[:, 0], "swapped", example=np.ones((3, 2)))
    service = mlops.deploy("swapped@1", log=0)
    tensor = {"name": "input", "shape": [1, 2], "datatype": "FP64", "data": [1.0, 2.0]}
    asking = Asking(models.target(service, json.dumps({"inputs": [tensor]}).encode()))
    asking.start()
    try:
        for number in range(SWAPS):
            mlops.deploy(f"swapped@{2 - number % 2}")
    finally:
        asking.end()
        service.stop()
    for what, times in asking.lost.most_common(5):
        print(f"lost, {times} times: {what}", flush=True)
    asked, lost = sum(asking.answered.values()), sum(asking.lost.values())
    if len(asking.answered) < 2:
        raise RuntimeError(f"only one version has answered: {asking.answered}")
    print(f"{asked:,} requests were answered meanwhile", flush=True)
    yield bounded(f"requests lost in {SWAPS:,} swaps of version under load", "requests", lost, 0)
