"""Libraries that train on top of PyTorch, and JAX: in a gang they find that they were started, and start nothing."""

from __future__ import annotations

from typing import Any

import pytest

import jupyter_mlops as mlops

from .cluster import LONG

pytestmark = pytest.mark.slow


def both(cluster: mlops.Cluster, work: Any, *args: Any) -> list[Any]:
    """What two ranks give."""
    return list(mlops.train(work, *args, workers=2, cluster=cluster, timeout=LONG).results())


def test_lightning(cluster: mlops.Cluster) -> None:
    pytest.importorskip("lightning", reason="Lightning isn't installed: pip install lightning")

    def work() -> tuple[int, int, float]:
        import lightning
        import torch

        class Sum(lightning.LightningModule):
            def __init__(self) -> None:
                super().__init__()
                self.layer = torch.nn.Linear(10, 1)

            def training_step(self, batch: Any, index: int) -> Any:
                return ((self.layer(batch[0]) - batch[0].sum(1, keepdim=True)) ** 2).mean()

            def configure_optimizers(self) -> Any:
                return torch.optim.SGD(self.parameters(), lr=0.1)

        torch.manual_seed(0)
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(256, 10)), batch_size=16)
        quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
        trainer = lightning.Trainer(accelerator="cpu", devices=2, strategy="ddp", max_epochs=5, **quiet)
        model = Sum()
        trainer.fit(model, data)
        return trainer.world_size, trainer.global_rank, round(model.layer.weight.mean().item(), 2)

    assert both(cluster, work) == [(2, 0, 1.0), (2, 1, 1.0)]


def test_accelerate(cluster: mlops.Cluster) -> None:
    pytest.importorskip("accelerate", reason="accelerate isn't installed: pip install accelerate")

    def work() -> tuple[int, int, int]:
        import torch
        from accelerate import Accelerator

        accelerator = Accelerator(cpu=True)
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(256, 10)), batch_size=16)
        prepared = accelerator.prepare(torch.nn.Linear(10, 1), data)
        return accelerator.num_processes, accelerator.process_index, len(prepared[1])

    assert both(cluster, work) == [(2, 0, 8), (2, 1, 8)], "each has half of the data"


def test_transformers(cluster: mlops.Cluster) -> None:
    pytest.importorskip("transformers", reason="transformers isn't installed: pip install transformers accelerate")
    pytest.importorskip("accelerate", reason="transformers trains with accelerate: pip install accelerate")

    def work() -> tuple[int, int, int]:
        import tempfile

        import torch
        from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        model = BertForSequenceClassification(BertConfig(vocab_size=50, **sizes))
        data = [{"input_ids": torch.randint(0, 50, (8,)), "labels": torch.tensor(index % 2)} for index in range(64)]
        args = TrainingArguments(
            output_dir=tempfile.mkdtemp(),
            use_cpu=True,
            max_steps=5,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
        )
        trained = Trainer(model=model, args=args, train_dataset=data).train()
        return args.world_size, args.process_index, trained.global_step

    assert both(cluster, work) == [(2, 0, 5), (2, 1, 5)]


def test_jax(cluster: mlops.Cluster) -> None:
    pytest.importorskip("jax", reason="JAX isn't installed: pip install jax")

    def work() -> tuple[int, float]:
        import jax
        import jax.numpy
        from jax.experimental import multihost_utils

        jax.config.update("jax_platforms", "cpu")
        jax.distributed.initialize()
        of_all = multihost_utils.process_allgather(jax.numpy.ones(1) * (jax.process_index() + 1))
        count = jax.process_count()
        jax.distributed.shutdown()
        return count, float(of_all.sum())

    assert both(cluster, work) == [(2, 3.0), (2, 3.0)]


@pytest.mark.parametrize("way", ["pipeline", "tensor"])
def test_parts_of_a_model_on_each_rank(cluster: mlops.Cluster, way: str) -> None:
    pytest.importorskip("torch", reason="PyTorch isn't installed: pip install 'jupyter-mlops[torch]'")

    def pipeline() -> Any:
        import torch
        from torch import distributed
        from torch.distributed.pipelining import PipelineStage, ScheduleGPipe

        distributed.init_process_group("gloo")
        torch.manual_seed(0)
        layer, inputs = torch.nn.Linear(8, 8), torch.randn(4, 8)
        schedule = ScheduleGPipe(PipelineStage(layer, mlops.rank(), 2, torch.device("cpu")), 2)
        given = schedule.step(inputs) if mlops.rank() == 0 else schedule.step()
        distributed.barrier()
        distributed.destroy_process_group()
        return None if given is None else bool(torch.allclose(given, layer(layer(inputs)), atol=1e-6))

    def tensor() -> Any:
        import torch
        from torch import distributed
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

        distributed.init_process_group("gloo")
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 8))
        inputs = torch.randn(4, 8)
        wanted = model(inputs)
        shards = parallelize_module(
            model, init_device_mesh("cpu", (2,)), {"0": ColwiseParallel(), "2": RowwiseParallel()}
        )
        same = bool(torch.allclose(shards(inputs), wanted, atol=1e-5))
        distributed.destroy_process_group()
        return same

    if way == "pipeline":
        assert both(cluster, pipeline) == [None, True]
    else:
        assert both(cluster, tensor) == [True, True]
