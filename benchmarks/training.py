"""Gangs against `torchrun`, which runs the same program on the same machine."""

from __future__ import annotations

import contextlib
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

from .measure import Result, compared, in_turn
from .runners import cpu

RANKS = 2
STEPS = 1000

#: Seconds in which what a start has imported is imported once more, for those that come later: its CPU time, too.
LEARNING = 15

#: Seconds for `torchrun`, which hangs now and then or gives up, and how often it may try.
PATIENCE, TRIES = 60, 5

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

#: The same until rank 1 is killed, once, and on from a checkpoint. It writes down when that was, and the next step.
KILLED = """
import os, signal, time, torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

def train(folder, save, load):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    rank, again = distributed.get_rank(), os.environ["TORCHELASTIC_RESTART_COUNT"] != "0"
    net = DistributedDataParallel(torch.nn.Linear(64, 1))
    optimizer = torch.optim.AdamW(net.parameters())
    first = load(net) if again else 0
    for step in range(first, 20):
        loss = net(torch.randn(64, 64)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if again and step == first and rank == 0:
            open(f"{folder}/again", "w").write(str(time.time()))
        if step == 9:
            save(net, 10)
        distributed.barrier()
        if step == 12 and not again and rank == 1:
            time.sleep(1)  # the checkpoint is complete
            open(f"{folder}/killed", "w").write(str(time.time()))
            os.kill(os.getpid(), signal.SIGKILL)
    distributed.destroy_process_group()
"""

#: How a program of `torchrun` keeps a checkpoint, as its examples do.
FILE = """
def save(net, step):
    if distributed.get_rank() == 0:
        torch.save((net.state_dict(), step), PATH)

def load(net):
    state, step = torch.load(PATH)
    net.load_state_dict(state)
    return step
"""


def run() -> Iterator[Result]:
    """The first and the second start until a first step was made, and what a step takes, in CPU seconds; and what a
    killed rank costs."""
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
    ours, peer = in_turn(_killed_here, _killed_there, 3)
    yield compared(f"{name}, from the kill of a rank to the next step", "s", ours, peer, "torchrun", 0.3)


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
        taken.append(_tried(command, lambda: None, STEPS=str(steps)))
    return taken[0], float(path.read_text())


def _killed_here() -> float:
    """Seconds from the kill of a rank to the next step, where it has trained for a while: the second time."""
    space: dict[str, Any] = {}
    exec(KILLED, space)
    train = space["train"]

    def save(net: Any, step: int) -> None:
        import torch

        with mlops.checkpoint(step) as folder:
            torch.save(net.state_dict(), folder / "net.pt")

    def load(net: Any) -> int:
        import torch

        folder = mlops.resume()
        assert folder is not None
        net.load_state_dict(torch.load(folder / "net.pt"))
        return int(folder.step)

    cluster = mlops.start("bench", workers=RANKS)
    cluster.wait(RANKS, 120)
    try:
        for _ in range(2):
            with tempfile.TemporaryDirectory() as folder:
                mlops.train(train, folder, save, load, workers=RANKS, cluster=cluster, fresh=True, quiet=True).result()
                seconds = _between(Path(folder))
            time.sleep(LEARNING)
        return seconds
    finally:
        cluster.stop()


def _killed_there() -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script, path = folder / "program.py", folder / "net.pt"
        script.write_text(f"{KILLED}\nPATH = {str(path)!r}\n{FILE}\ntrain({name!r}, save, load)\n")
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={RANKS}"]
        files = [folder / "net.pt", folder / "killed", folder / "again"]
        _tried([*command, "--max-restarts=3", str(script)], lambda: [file.unlink(missing_ok=True) for file in files])
        return _between(folder)


def _tried(command: list[str], tidy: Callable[[], object], **environ: str) -> float:
    """CPU seconds of the first try of `command` that came to its end; `tidy` makes ready for each."""
    for _ in range(TRIES):
        tidy()
        began = cpu()
        with contextlib.suppress(subprocess.SubprocessError):
            env = {**os.environ, **environ}
            subprocess.run(command, env=env, check=True, stderr=subprocess.DEVNULL, timeout=PATIENCE)
            return cpu() - began
    raise RuntimeError(f"torchrun has not once come to its end, in {TRIES} tries")


def _between(folder: Path) -> float:
    return float((folder / "again").read_text()) - float((folder / "killed").read_text())
