"""Runs: an empty cell, and maps of many small items, against what Dask's users and experts write."""

from __future__ import annotations

import pickle
import statistics
import time
from collections.abc import Iterator
from typing import Any

import dask.bag
from distributed import Client
from IPython.core.interactiveshell import InteractiveShell

import jupyter_mlops as mlops

from .measure import Result, bounded, compared, in_turn, timed

#: Items a batch in the expert's way; the size that was best on the machine where the goal was set.
EXPERT_BATCH = 50_000


def run() -> Iterator[Result]:
    """All figures on one cluster of two workers."""
    cluster = mlops.start("bench", workers=2)
    cluster.wait(2)
    client = cluster.client()
    try:
        yield empty_cell(cluster, client)
        yield from tiny_items(cluster, client)
        yield busy_items(cluster)
    finally:
        client.close()
        cluster.stop()


def empty_cell(cluster: Any, client: Client) -> Result:
    """What `%%mlrun` adds to a warm `client.submit(f).result()`."""
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "jupyter_mlops")
    count = iter(range(10_000))

    def ours() -> float:
        return timed(lambda: shell.run_cell_magic("mlrun", f"--quiet --cluster {cluster.name}", "pass"))

    def peer() -> float:
        return timed(lambda: client.submit(lambda i: None, next(count), pure=False).result())

    for _ in range(5):
        ours(), peer()
    pairs = [(ours(), peer()) for _ in range(50)]
    added = statistics.median(a for a, _ in pairs) - statistics.median(b for _, b in pairs)
    return bounded("empty `%%mlrun` cell, more than `client.submit(f).result()`", "ms", added * 1000, 20)


def double(item: int) -> int:
    """The tiny work."""
    return 2 * item


def expert(client: Client, items: range) -> list[int]:
    """`client.map` over pickled batches, sized by hand; the same function for each item."""
    step = EXPERT_BATCH
    batches = [pickle.dumps(list(items[i : i + step])) for i in range(0, len(items), step)]

    def work(batch: bytes) -> bytes:
        return pickle.dumps([double(item) for item in pickle.loads(batch)])

    futures = client.map(work, batches, pure=False)
    return [item for part in client.gather(futures) for item in pickle.loads(part)]


def lists(client: Client, items: range) -> list[int]:
    """`client.map` over lists of 10,000, as users write it."""
    batches = [list(items[i : i + 10_000]) for i in range(0, len(items), 10_000)]
    futures = client.map(lambda batch: [2 * item for item in batch], batches, pure=False)
    return [item for part in client.gather(futures) for item in part]


def bag(client: Client, items: range) -> list[int]:
    """`dask.bag`, as users write it."""
    result: list[int] = dask.bag.from_sequence(items, partition_size=10_000).map(double).compute(scheduler=client)
    return result


def tiny_items(cluster: Any, client: Client) -> Iterator[Result]:
    """Maps of integers."""

    def ours(items: range) -> float:
        def work() -> None:
            got = mlops.map(double, items, cluster=cluster, quiet=True).result()
            assert got[-1] == 2 * items[-1] and len(got) == len(items)

        return timed(work)

    million, some = range(1_000_000), range(100_000)
    ours(million), expert(client, million)
    a, b = in_turn(lambda: ours(million), lambda: timed(lambda: expert(client, million)), 15)
    yield compared("map of 1,000,000 tiny items", "s", a, b, "client.map, pickled batches sized by hand", 1.1)
    a, b = in_turn(lambda: ours(some), lambda: timed(lambda: lists(client, some)), 3)
    yield compared("map of 100,000 tiny items", "s", a, b, "client.map over lists of 10,000", 1 / 50)
    a, b = in_turn(lambda: ours(some), lambda: timed(lambda: bag(client, some)), 3)
    yield compared("map of 100,000 tiny items, against bags", "s", a, b, "dask.bag", 1 / 50)


def burn(item: int) -> int:
    """10 ms of CPU time."""
    until = time.thread_time() + 0.010
    while time.thread_time() < until:
        pass
    return item


def busy_items(cluster: Any) -> Result:
    """2,000 items of 10 ms on two workers, against the ideal."""
    ideal = 2_000 * 0.010 / 2
    seconds = statistics.median(
        timed(lambda: mlops.map(burn, range(2_000), cluster=cluster, quiet=True).result()) for _ in range(3)
    )
    note = "needs both CPUs for itself"
    return compared("map of 2,000 items of 10 ms CPU on 2 workers", "s", seconds, ideal, "work / workers", 1.05, note)
