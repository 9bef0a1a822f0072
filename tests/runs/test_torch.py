"""PyTorch in gangs: programs as they are written for `torchrun`, without their launcher."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops import errors

from .cluster import LONG, until

pytest.importorskip("torch", reason="PyTorch isn't installed: pip install 'jupyter-mlops[torch]'")

pytestmark = pytest.mark.slow


def test_distributed_data_parallel(cluster: mlops.Cluster) -> None:
    def work(steps: int) -> tuple[float, int]:
        import torch
        from torch import distributed
        from torch.nn.parallel import DistributedDataParallel

        distributed.init_process_group("gloo")
        torch.manual_seed(0)
        model = DistributedDataParallel(torch.nn.Linear(10, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        torch.manual_seed(distributed.get_rank())
        for _ in range(steps):
            inputs = torch.randn(32, 10)
            loss = ((model(inputs) - inputs.sum(1, keepdim=True)) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        world = distributed.get_world_size()
        distributed.destroy_process_group()
        return loss.item(), world

    loss, world = mlops.train(work, 100, workers=2, cluster=cluster).result(LONG)
    assert world == 2 and loss < 0.01
    assert not mlops.run(lambda: "RANK" in os.environ, cluster=cluster).result(LONG)


def test_a_loss_is_a_number_without_a_warning() -> None:
    import torch

    mlops.report(torch.ones(1, requires_grad=True).sum())


def test_where_ranks_spend_their_time_is_seen_in_the_backward_pass_too(cluster: mlops.Cluster) -> None:
    """Rank 0 waits for gradients of rank 1 in C code below its backward pass, where DDP exchanges them."""

    def work(seconds: float) -> None:
        import torch
        from torch import distributed
        from torch.nn.parallel import DistributedDataParallel

        distributed.init_process_group("gloo")
        model, end, over = DistributedDataParallel(torch.nn.Linear(10, 1)), time.monotonic() + seconds, False
        step = 0
        while not over:
            if mlops.rank() == 1:
                time.sleep(0.3)
            model(torch.ones(1, 10)).sum().backward()
            mlops.progress(step := step + 1)
            late = torch.tensor(float(time.monotonic() > end))
            distributed.all_reduce(late)
            over = late.item() > 0
        distributed.destroy_process_group()

    run = mlops.train(work, 15.0, workers=2, cluster=cluster)
    run.result(LONG)
    where = run.record.whereabouts
    assert where is not None and not where.blind and where.loading == where.reading == 0
    assert where.talking_most > max(0.3, where.talking), "rank 0 waits in a collective while rank 1 sleeps"
    assert run.advice() == []  # it was looked at too little


def test_a_model_that_goes_with_its_function_ends_nobody(cluster: mlops.Cluster) -> None:
    """A gloo group that is dropped right after its last message once waited for a thread that waited for it."""

    def work() -> int:
        import torch
        from torch import distributed
        from torch.nn.parallel import DistributedDataParallel

        distributed.init_process_group("gloo")
        model = DistributedDataParallel(torch.nn.Linear(10, 1))
        model(torch.ones(1, 10)).sum().backward()
        distributed.destroy_process_group()
        return distributed.is_initialized()

    for _ in range(10):
        assert mlops.train(work, workers=2, cluster=cluster).result(LONG) is False


def test_who_sets_address_rank_and_size_by_hand_is_not_disturbed(cluster: mlops.Cluster) -> None:
    def work() -> float:
        import torch
        from torch import distributed

        os.environ["MASTER_ADDR"] = "localhost"  # as PyTorch's tutorial does
        os.environ["MASTER_PORT"] = "12355"
        distributed.init_process_group("gloo", rank=mlops.rank(), world_size=mlops.world())
        total = torch.ones(1) * (mlops.rank() + 1)
        distributed.all_reduce(total)
        distributed.destroy_process_group()
        return total.item()

    assert mlops.train(work, workers=2, cluster=cluster).result(LONG) == 3.0


def test_the_rank_that_raised_is_to_blame_and_not_who_lost_it(cluster: mlops.Cluster) -> None:
    def work() -> None:
        import torch
        from torch import distributed

        distributed.init_process_group("gloo")
        for step in range(10_000):
            if step == 50 and distributed.get_rank() == 1:
                raise ValueError("the cause")
            distributed.all_reduce(torch.ones(1))

    with pytest.raises(errors.RunFailed, match="rank 1: ValueError: the cause"):
        mlops.train(work, workers=2, cluster=cluster).result(LONG)


def test_a_rank_that_never_comes_is_waited_for_as_long_as_the_code_says(cluster: mlops.Cluster) -> None:
    def work() -> None:
        from datetime import timedelta

        from torch import distributed

        if mlops.rank() == 1:
            time.sleep(1000)
        distributed.init_process_group("gloo", timeout=timedelta(seconds=2))

    with pytest.raises(errors.RunFailed, match=r"rank 0: .*[Tt]ime"):
        mlops.train(work, workers=2, cluster=cluster).result(LONG)
    assert mlops.map(abs, [-1, -2], cluster=cluster).result(LONG) == [1, 2], "nobody waits any more"


def test_a_rank_in_an_all_reduce_is_cancelled(cluster: mlops.Cluster) -> None:
    def work() -> None:
        import torch
        from torch import distributed

        distributed.init_process_group("gloo")
        print("here", flush=True)
        if distributed.get_rank() == 1:
            time.sleep(1000)
        distributed.all_reduce(torch.ones(1))

    run = mlops.train(work, workers=2, cluster=cluster)
    until(lambda: run.prints().count("here") == 2)
    run.cancel()
    with pytest.raises(errors.RunCancelled):
        run.result(LONG)
    assert mlops.map(abs, [-1, -2], cluster=cluster).result(LONG) == [1, 2]


def test_sharded_training_goes_on_after_a_kill_to_the_same_loss(cluster: mlops.Cluster, tmp_path: Path) -> None:
    """FSDP2 with PyTorch's own distributed checkpoints: each rank writes its shards."""

    def train(marker: str, kill: bool) -> float:
        import signal

        import torch
        import torch.distributed.checkpoint as dcp
        from torch import distributed
        from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        distributed.init_process_group("gloo")
        mesh = init_device_mesh("cpu", (2,))  # a machine with a GPU may have but one
        torch.manual_seed(0)
        model = torch.nn.Sequential(*(torch.nn.Linear(16, 16) for _ in range(3)))
        for layer in model:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        begin, folder = 0, mlops.resume()
        if folder is not None:
            begin = folder.step
            of_model, of_optimizer = get_state_dict(model, optimizer)
            dcp.load({"model": of_model, "optimizer": of_optimizer}, checkpoint_id=folder)
            set_state_dict(model, optimizer, model_state_dict=of_model, optim_state_dict=of_optimizer)
        for step in range(begin, 9):
            torch.manual_seed(step)
            inputs = torch.randn(8, 16)
            loss = ((model(inputs) - inputs) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step == 5 and kill and mlops.rank() == 1 and not Path(marker).exists():
                Path(marker).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if step % 2 == 1:
                with mlops.checkpoint(step + 1) as place:
                    of_model, of_optimizer = get_state_dict(model, optimizer)
                    dcp.save({"model": of_model, "optimizer": of_optimizer}, checkpoint_id=place)
        distributed.destroy_process_group()
        return loss.item()

    undisturbed = mlops.train(train, "", False, workers=2, cluster=cluster).result(LONG)
    run = mlops.train(train, str(tmp_path / "killed"), True, workers=2, cluster=cluster)
    assert run.result(LONG) == undisturbed
    assert run.record.attempt == 2
