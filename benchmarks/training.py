"""Gangs against `torchrun`, which runs the same program on the same machine."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jupyter_mlops as mlops

from .measure import Result, compared
from .runners import cpu

RANKS = 2
STEPS = 300

#: Seconds in which what a start has imported is imported once more, for those that come later: its CPU time, too.
LEARNING = 15

#: A small network, trained by all ranks together; writes the CPU seconds of a step into the file that it is told.
PROGRAM = """
import os, time, torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

def train(steps, path):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    torch.manual_seed(0)
    wide = torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 256), torch.nn.ReLU()
    net = torch.nn.Sequential(*wide, torch.nn.Linear(256, 1))
    net = DistributedDataParallel(net)
    optimizer = torch.optim.AdamW(net.parameters())
    inputs = torch.randn(64, 64)
    began = None
    for step in range(steps):
        loss = net(inputs).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 0:
            began = time.process_time()
    if distributed.get_rank() == 0 and steps > 1:
        open(path, "w").write(str((time.process_time() - began) / (steps - 1)))
    distributed.destroy_process_group()
"""


def run() -> Iterator[Result]:
    """The first and the second start until a first step was made, and what a step takes; all in CPU seconds."""
    if find_spec("torch") is None:
        print("no PyTorch here: pip install 'jupyter-mlops[torch]'", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        found = [(_ours(Path(folder)), _torchrun(Path(folder))) for _ in range(3)]
    first, second, step = (statistics.median(ours[number] for ours, _ in found) for number in range(3))
    peer, peer_step = (statistics.median(theirs[number] for _, theirs in found) for number in range(2))
    name = f"gang of {RANKS}"
    yield compared(f"{name}, first start to its first step, CPU time", "s", first, peer, "torchrun", 0.7)
    yield compared(f"{name}, second start to its first step, CPU time", "s", second, peer, "torchrun", 0.15)
    yield compared(f"{name}, a step of a small network, CPU time", "ms", 1e3 * step, 1e3 * peer_step, "torchrun", 1.02)


def _ours(folder: Path) -> tuple[float, float, float]:
    space: dict[str, Any] = {}
    exec(PROGRAM, space)
    train, path = space["train"], folder / "step"
    cluster = mlops.start("bench", workers=RANKS)
    cluster.wait(RANKS, 120)
    try:
        starts = []
        for _ in range(2):
            began = cpu()
            mlops.train(train, 1, str(path), workers=RANKS, cluster=cluster, quiet=True).result()
            time.sleep(LEARNING)
            starts.append(cpu() - began)
        mlops.train(train, STEPS, str(path), workers=RANKS, cluster=cluster, quiet=True).result()
        return starts[0], starts[1], float(path.read_text())
    finally:
        cluster.stop()


def _torchrun(folder: Path) -> tuple[float, float]:
    script, path = folder / "program.py", folder / "step"
    script.write_text(f"{PROGRAM}\ntrain(int(os.environ['STEPS']), {str(path)!r})\n")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={RANKS}", str(script)]
    taken = []
    for steps in (1, STEPS):
        began = cpu()
        subprocess.run(command, env={**os.environ, "STEPS": str(steps)}, check=True, stderr=subprocess.DEVNULL)
        taken.append(cpu() - began)
    return taken[0], float(path.read_text())
