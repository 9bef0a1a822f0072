"""What a request costs where the model is a graph of ONNX, against the least that anything with ASGI costs."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import jupyter_mlops as mlops

from ..measure import Result, compared
from . import models
from .load import Target, in_turns, tree
from .peers import SERVERS, environment, free_port, served

#: Seconds that each is asked in a round, and rounds.
SECONDS, ROUNDS = 3.0, 4


def run() -> Iterator[Result]:
    """The scaler and the regression as a graph; and a program that says hello to the same body."""
    found = environment("onnx")
    if found is None:
        return
    with _beside(found):
        from skl2onnx import to_onnx

        rows = models.rows(2000, 1)[0].to_numpy(np.float32)
        graph = to_onnx(models.small(), rows[:1], options={"zipmap": False})
        service = mlops.deploy(mlops.save_model(graph, "graph", valid=(rows, models.rows(2000, 1)[1])).name)
        try:
            with _hello() as hello:
                seen = in_turns(
                    {"ours": models.target(service, models.as_tensor("FP32")), "hello": hello}, SECONDS, ROUNDS
                )
        finally:
            service.stop()
    name, peer = "a request of 1 row, ONNX", "raw ASGI hello by uvicorn"
    yield compared(name, "ms CPU", seen["ours"] * 1e3, seen["hello"] * 1e3, peer, 3)


@contextlib.contextmanager
def _beside(found: Path) -> Iterator[None]:
    """Have the packages of an environment beside those of this one, here and in what is started meanwhile."""
    (place,) = map(str, found.glob("lib/python3*/site-packages"))
    before = os.environ.get("PYTHONPATH", "")
    sys.path.append(place)
    os.environ["PYTHONPATH"] = f"{before}{os.pathsep}{place}" if before else place
    try:
        yield
    finally:
        sys.path.remove(place)
        os.environ["PYTHONPATH"] = before


@contextlib.contextmanager
def _hello() -> Iterator[Target]:
    """uvicorn as it is installed here, with h11 and asyncio, and no log of requests."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "hello:app", "--app-dir", str(SERVERS), "--port", str(port)]
    address = f"http://127.0.0.1:{port}/"
    with served([*command, "--no-access-log"], SERVERS, address) as process:
        yield Target(address, models.as_tensor("FP32"), lambda: tree(process.pid))
