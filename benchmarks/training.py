"""Gangs against `torchrun`, which runs the same program on the same machine."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
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

#: The same, whose rank 1 is killed once after a checkpoint; writes when that was, and when training went on from there.
KILLED = """
import os, signal, time
from pathlib import Path
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

def train(folder, load, save):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    net = DistributedDataParallel(torch.nn.Linear(64, 1))
    optimizer = torch.optim.AdamW(net.parameters())
    begin, state = load()
    if state is not None:
        net.load_state_dict(state)
    for step in range(begin, begin + 5):
        loss = net(torch.randn(64, 64)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == begin and begin and rank == 0:
            Path(folder, "again").write_text(str(time.time()))
        if step == 2:
            save(step, net.state_dict(), rank)
        if step == 4 and not begin and rank == 1:
            time.sleep(1)  # the checkpoint is complete
            Path(folder, "killed").write_text(str(time.time()))
            os.kill(os.getpid(), signal.SIGKILL)
    distributed.destroy_process_group()
"""

#: How it saves in a gang, and by itself.
IN_A_GANG = """
def main(folder):
    import jupyter_mlops as mlops

    def load():
        found = mlops.resume()
        return (0, None) if found is None else (found.step, torch.load(found / "all.pt"))

    def save(step, state, rank):
        with mlops.checkpoint(step) as place:
            if rank == 0:
                torch.save(state, place / "all.pt")

    train(folder, load, save)
"""
BY_ITSELF = """
def main(folder):
    file = Path(folder, "all.pt")

    def save(step, state, rank):
        if rank == 0:
            torch.save((step, state), file)

    train(folder, lambda: torch.load(file) if file.exists() else (0, None), save)
"""


def run() -> Iterator[Result]:
    """The first and the second start until a first step was made, and what a step takes, in CPU seconds; and from the
    kill of a rank to the first step after it."""
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
    again, theirs = (statistics.median(_recovery(way) for _ in range(3)) for way in (_gang_killed, _torchrun_killed))
    yield compared(f"{name}, from a killed rank to the next step", "s", again, theirs, "torchrun's restart", 0.3)


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


def _recovery(way: Callable[[Path], None]) -> float:
    """Seconds from the kill of a rank to the first step after it."""
    with tempfile.TemporaryDirectory() as folder:
        way(Path(folder))
        return float(Path(folder, "again").read_text()) - float(Path(folder, "killed").read_text())


def _gang_killed(folder: Path) -> None:
    space: dict[str, Any] = {}
    exec(KILLED + IN_A_GANG, space)
    cluster = mlops.start("bench", workers=RANKS)
    cluster.wait(RANKS, 120)
    try:
        mlops.train(space["main"], str(folder), workers=RANKS, cluster=cluster, quiet=True, fresh=True).result()
    finally:
        cluster.stop()


def _torchrun_killed(folder: Path) -> None:
    script = folder / "program.py"
    script.write_text(f"{KILLED}{BY_ITSELF}\nmain({str(folder)!r})\n")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--max-restarts=1"]
    subprocess.run([*command, f"--nproc-per-node={RANKS}", str(script)], check=True, stderr=subprocess.DEVNULL)


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
