"""The items of `mlops.map`, of whatever kind they are, on a real cluster."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array
import dask.bag
import numpy as np
import pandas as pd
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.core import errors

from .cluster import LONG, until

ITEMS: list[tuple[Any, list[Any]]] = [
    ([1, 2, 3], [2, 4, 6]),
    ((1, 2, 3), [2, 4, 6]),
    (range(1000), list(range(0, 2000, 2))),
    (np.arange(500), list(range(0, 1000, 2))),
    (pd.Series([1, 2, 3], index=[7, 8, 9]), [2, 4, 6]),
    ({4: "a", 5: "b"}, [8, 10]),
    ([], []),
    (["a", "b"], ["aa", "bb"]),
    ([[1], [2, 3]], [[1, 1], [2, 3, 2, 3]]),
    ([None], [errors.RunFailed]),
]


@pytest.mark.parametrize(
    ("items", "expected"), ITEMS, ids=[type(items).__name__ + str(len(items)) for items, _ in ITEMS]
)
def test_items_of_all_kinds_in_order(cluster: mlops.Cluster, items: Any, expected: list[Any]) -> None:
    run = mlops.map(lambda item: item * 2, items, cluster=cluster)
    if expected == [errors.RunFailed]:
        with pytest.raises(errors.ItemsFailed, match="TypeError"):
            run.result(LONG)
    else:
        assert run.result(LONG) == expected


def test_many_items_are_few_tasks(cluster: mlops.Cluster) -> None:
    run = mlops.map(lambda item: item + 1, range(200_000), cluster=cluster)
    assert run.result(LONG) == list(range(1, 200_001))
    assert run.record.done == 200_000 and run.record.total == 200_000


def test_a_generator_is_read_as_its_results_are_taken(cluster: mlops.Cluster) -> None:
    read = 0

    def endless() -> Iterator[int]:
        nonlocal read
        assert threading.current_thread() is threading.main_thread()
        while True:
            read += 1
            yield read

    run = mlops.map(lambda item: bytes(100_000) and item, endless(), cluster=cluster)
    taken = []
    for result in run.results():
        taken.append(result)
        if len(taken) == 300:
            break
    assert taken == list(range(1, 301))
    run.cancel()
    until(lambda: run.state == "cancelled")


def test_a_generator_that_raises_ends_the_run_with_its_error(cluster: mlops.Cluster) -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("the file ended")

    with pytest.raises(errors.RunFailed, match="the file ended"):
        mlops.map(lambda item: item, broken(), cluster=cluster).result(LONG)


def test_a_table_comes_in_chunks_of_rows(cluster: mlops.Cluster) -> None:
    table = pd.DataFrame({"a": range(1000), "b": "x"})
    parts = mlops.map(lambda part: part.assign(c=part.a * 2), table, cluster=cluster).result(LONG)
    assert len(parts) == 64
    whole = pd.concat(parts)
    assert list(whole.index) == list(table.index) and list(whole.c) == list(range(0, 2000, 2))


def test_a_pattern_of_files(cluster: mlops.Cluster, tmp_path: Path) -> None:
    for name in "ba":
        (tmp_path / f"{name}.txt").write_text(name)
    run = mlops.map(lambda path: Path(path).read_text(), str(tmp_path / "*.txt"), cluster=cluster)
    assert run.result(LONG) == ["a", "b"]
    with pytest.raises(errors.InvalidItems, match="No file matches"):
        mlops.map(str, str(tmp_path / "*.csv"), cluster=cluster)


def test_dask_collections_by_partition_on_the_cluster(cluster: mlops.Cluster) -> None:
    bag = dask.bag.from_sequence(range(10), npartitions=5)
    assert mlops.map(sum, bag, cluster=cluster).result(LONG) == [1, 5, 9, 13, 17]
    array = dask.array.ones((4, 4), chunks=2)
    assert mlops.map(lambda block: float(block.sum()), array, cluster=cluster).result(LONG) == [4.0] * 4
    values = [dask.delayed(pow)(2, n) for n in range(4)]
    assert mlops.map(lambda item: item + 1, values, cluster=cluster).result(LONG) == [2, 3, 5, 9]
    detached = mlops.map(sum, bag, cluster=cluster, detach=True)
    assert mlops.get_run(detached.id).result(LONG) == [1, 5, 9, 13, 17]


class Query:
    """As polars' LazyFrame: Python takes it for a sequence, which it isn't."""

    def __getitem__(self, index: int) -> Any:
        raise TypeError("not subscriptable")

    def collect(self) -> list[int]:
        return [1]


@pytest.mark.parametrize("items", [5, None, 1.5, len, Query()])
def test_what_has_no_items_is_refused(cluster: mlops.Cluster, items: Any) -> None:
    with pytest.raises(errors.InvalidItems, match="no items"):
        mlops.map(str, items, cluster=cluster)


def test_one_item_that_raises_stops_nobody_else(cluster: mlops.Cluster) -> None:
    run = mlops.map(lambda item: 1 // (item - 500), range(1000), cluster=cluster)
    results = run.result(LONG)
    failed = results[500]
    assert isinstance(failed, mlops.FailedItem) and isinstance(failed.__cause__, ZeroDivisionError)
    assert results[:500] == [-1] * 500 and results[501:503] == [1, 0] and len(results) == 1000
    assert [error.index for error in run.errors] == [500]
    assert "1 // (item - 500)" in run.errors[0].traceback and "jupyter" not in run.errors[0].traceback
    assert run.state == "done" and run.record.failed == 1


class Foreign:
    """Can be read only where a module is that nobody has."""

    def __reduce__(self) -> Any:
        return importlib.import_module, ("nowhere",)


def test_items_that_can_not_be_read_there_have_failed_of_that(cluster: mlops.Cluster) -> None:
    run = mlops.map(str, [Foreign()] * 3, cluster=cluster)
    with pytest.raises(errors.ItemsFailed, match=r"item 0 \(can't be read\) raised ModuleNotFoundError"):
        run.result(LONG)
    assert {error.error for error in run.errors} == {"ModuleNotFoundError: No module named 'nowhere'"}
    with pytest.raises(errors.RunFailed, match="No module named 'nowhere'"):
        mlops.map(str, [Foreign()], cluster=cluster, on_error="raise").result(LONG)
    assert mlops.map(str, range(3), cluster=cluster).result(LONG) == ["0", "1", "2"]


def test_the_first_error_ends_it_when_asked(cluster: mlops.Cluster) -> None:
    run = mlops.map(lambda item: 1 // (item - 5), range(100_000), cluster=cluster, on_error="raise")
    with pytest.raises(errors.RunFailed, match=r"Item 5 \(5\)") as caught:
        run.result(LONG)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert run.state == "failed"


def test_a_stop_iteration_is_an_error_like_any_other(cluster: mlops.Cluster) -> None:
    run = mlops.map(lambda item: next(iter([])) if item == 1 else item, range(4), cluster=cluster)
    results = run.result(LONG)
    assert len(results) == 4 and [error.index for error in run.errors] == [1] and results[3] == 3


def test_retries_are_per_item(cluster: mlops.Cluster, tmp_path: Path) -> None:
    def flaky(item: int) -> int:
        mark = tmp_path / str(item)
        if item % 3 == 0 and not mark.exists():
            mark.touch()
            raise ValueError(item)
        return item

    run = mlops.map(flaky, range(9), cluster=cluster, retries=1)
    assert run.result(LONG) == list(range(9)) and not run.errors
    failed, _ = mlops.map(lambda item: 1 // item, [0, 1], cluster=cluster, retries=2, quiet=True).result(LONG)
    assert failed.__cause__.__context__ is None  # an attempt's error led to no other's
