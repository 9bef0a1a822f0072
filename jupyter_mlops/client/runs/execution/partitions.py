"""Executes a map over a Dask collection. The partitions are the items, and never come to the kernel."""

from __future__ import annotations

import asyncio
from typing import Any

from ....controller.runs.install import enter
from ....core.errors import RunFailed
from ....core.run import RunPhase, RunState
from ...clusters.session import Session
from ...send.payload import RunPayload
from . import items as parts
from .batcher import Batch
from .channel import Channel
from .items import Items, Partitions, Sliced
from .mapping import MapExecution
from .result_buffer import ResultBuffer


class PartitionExecution(MapExecution):
    """As `MapExecution`, with one task per partition, in one graph, so that Dask frees each as soon as it is used."""

    fixed = "partitions of a Dask collection are sent all at once"

    def __init__(
        self,
        session: Session,
        state: RunState,
        payload: RunPayload,
        channel: Channel,
        partitions: Partitions,
        buffer: ResultBuffer,
    ) -> None:
        items: Items = Sliced(range(partitions.total))
        super().__init__(session, state, payload, channel, items, buffer, None)
        self._partitions = partitions

    async def work(self) -> tuple[RunPhase, str]:
        """As `Execution.work`."""
        batches = [Batch(index, index, 1, b"") for index in range(self._partitions.total)]
        futures = self._submit(batches)
        if self.state.detached:
            await self.tasks.plan(len(batches), len(batches))
            return "running", ""
        flying = {
            asyncio.create_task(self._land(future, batch)) for future, batch in zip(futures, batches, strict=True)
        }
        try:
            while flying:
                done, flying = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        except RunFailed as error:
            self.error = error
            return "failed", error.why
        finally:
            await self._end_climb()
            self.tasks.stopping = self.tasks.stopping or bool(flying)
            for task in flying:
                task.cancel()
        return await self._conclude()

    async def _land(self, future: Any, batch: Batch) -> None:
        self._accept(batch, await self._outcome_of(future, batch))

    def _submit(self, batches: list[Batch]) -> list[Any]:
        from dask.delayed import delayed

        call = delayed(enter, pure=False)
        pending = []
        for batch, partition in zip(batches, self._partitions.parts, strict=True):
            part, key = parts.partition(batch.index), self.tasks.key(batch.index)
            pending.append(call(self.tasks.code, part, partition, *self.tasks.bigs, dask_key_name=key))
        return self.tasks.compute(pending)
