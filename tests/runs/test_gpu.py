"""Gangs on a GPU: run where there is one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops import errors

from .cluster import LONG, until

torch = pytest.importorskip("torch", reason="PyTorch isn't installed: pip install 'jupyter-mlops[torch]'")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")]


def train(backend: str, marker: str = "") -> tuple[float, int, bool, str]:
    """A model on the GPU; rank 1 is killed once where a marker is named."""
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    began_clean = not torch.cuda.is_initialized()
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    distributed.init_process_group(backend)
    torch.manual_seed(0)
    model = DistributedDataParallel(torch.nn.Linear(10, 1).cuda())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    begin, folder = 0, mlops.resume()
    if folder is not None:
        begin, saved = folder.step, torch.load(folder / "all.pt", map_location="cuda")
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
    for step in range(begin, 60):
        torch.manual_seed(step)
        inputs = torch.randn(32, 10, device="cuda")
        loss = ((model(inputs) - inputs.sum(1, keepdim=True)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 33 and marker and mlops.rank() == 1 and not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if step % 10 == 9:
            with mlops.checkpoint(step + 1) as place:
                if mlops.rank() == 0:
                    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, place / "all.pt")
    distributed.destroy_process_group()
    return loss.item(), begin, began_clean, torch.cuda.get_device_name()


def test_nccl_again_and_again(cluster: mlops.Cluster) -> None:
    """Ranks are forked of a process that has imported PyTorch, and must not have touched the GPU."""
    losses = []
    for _ in range(3):
        loss, _, clean, name = mlops.train(train, "nccl", workers=1, cluster=cluster).result(LONG)
        assert clean and name
        losses.append(loss)
    assert len(set(losses)) == 1


def test_two_ranks_share_a_gpu_and_go_on_after_a_kill_to_the_same_loss(cluster: mlops.Cluster, tmp_path: Path) -> None:
    undisturbed, begin, *_ = mlops.train(train, "gloo", workers=2, cluster=cluster).result(LONG)
    assert begin == 0
    run = mlops.train(train, "gloo", str(tmp_path / "killed"), workers=2, cluster=cluster)
    loss, begin, *_ = run.result(LONG)
    assert (loss, begin, run.record.attempt) == (undisturbed, 30, 2)


def test_a_cancelled_rank_frees_the_gpu(cluster: mlops.Cluster, tmp_path: Path) -> None:
    def work(marker: str) -> None:
        square = torch.randn(4096, 4096, device="cuda")
        Path(marker).touch()
        while True:
            square = square @ square * 1e-4

    def used() -> int:
        query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        return int(subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0])

    if shutil.which("nvidia-smi") is None:
        pytest.skip("nvidia-smi isn't there")
    run = mlops.train(work, str(tmp_path / "begun"), workers=1, cluster=cluster)
    until(lambda: (tmp_path / "begun").exists())
    time.sleep(2)  # ranks of the tests before have gone
    during, began = used(), time.monotonic()
    run.cancel()
    with pytest.raises(errors.RunCancelled):
        run.result(LONG)
    until(lambda: used() < during)
    assert time.monotonic() - began < 10
