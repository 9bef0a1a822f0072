"""Dask inside of cells and maps, in a real kernel, on a cluster with one thread: nothing may wait for its own place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..runs.cluster import a_cluster
from .kernels import Kernel

pytestmark = pytest.mark.slow

SETUP = """
import dask, dask.array as da, dask.bag as db, dask.dataframe as dd, numpy as np, pandas as pd

client = mlops.cluster("narrow").client()
future = client.submit(lambda: 5)
failing = client.submit(lambda: 1 / 0)
scattered = client.scatter(np.ones(3))
array = da.ones((100, 100), chunks=50).persist()
frame = dd.from_pandas(pd.DataFrame({"a": range(100)}), npartitions=2).persist()
bag = db.from_sequence(range(10), npartitions=2).persist()
lazy = da.arange(10, chunks=5)
later = dask.delayed(sum)([1, 2])
held = {"future": future, "array": array}

def uses(number=0):
    return float(da.ones(10, chunks=5).sum().compute()) + number
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with a_cluster("narrow", workers=1):
        made = Kernel(tmp_path_factory.mktemp("dask"), "narrow")
        assert not made.run(SETUP).error
        yield made
        made.close()


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("future.result() + 1", "6"),
        ("float(scattered.result().sum())", "3.0"),
        ("float(array.sum().compute())", "10000.0"),
        ("int(frame.a.sum().compute())", "4950"),
        ("bag.sum().compute()", "45"),
        ("int(lazy.sum().compute()), later.compute()", "(45, 3)"),
        ("held['future'].result(), float(held['array'].mean().compute())", "(5, 1.0)"),
        ("uses()", "10.0"),
        ("from dask.distributed import Client\nClient().submit(lambda: 7).result()", "7"),
        ("from distributed import get_client\nget_client().submit(lambda: 7).result()", "7"),
        (
            "from distributed import worker_client\nwith worker_client() as inside:\n    inside.submit(max, 2, 3)\n3",
            "3",
        ),
        ("from dask.distributed import get_worker\nget_worker().name", "'default-1'"),
        (
            "import joblib\nfrom sklearn.datasets import make_classification\nfrom sklearn.svm import SVC\n"
            "from sklearn.model_selection import cross_val_score\nfrom distributed import get_client\nget_client()\n"
            "with joblib.parallel_backend('dask'):\n"
            "    scores = cross_val_score(SVC(), *make_classification(60), cv=3)\nlen(scores)",
            "3",
        ),
    ],
)
def test_in_a_cell(kernel: Kernel, code: str, result: str) -> None:
    shown = kernel.run(f"%%mlrun\n{code}")
    assert shown.result == result and "distributed" not in shown.text.replace("distributed.client", ""), shown


@pytest.mark.parametrize("code", ["Client(n_workers=4)", "Client(processes=False)", "LocalCluster()"])
def test_a_cluster_on_the_cluster_is_refused_with_what_to_use(kernel: Kernel, code: str) -> None:
    imported = "from dask.distributed import Client, LocalCluster"
    for cell in (
        f"%%mlrun\n{imported}\n{code}",
        f"%%mlrun --map range(1) --on-error raise\n{imported}\n{code}",
        f"{imported}\nmlops.run(lambda: {code}).result()",
    ):
        shown = kernel.run(cell)
        assert "this code runs on a cluster already" in shown.error and "get_client()" in shown.error, shown
        assert "jupyter-mlops" not in "".join(shown.traceback) and "distributed/" not in "".join(shown.traceback)


def test_an_error_of_a_future_is_its_own(kernel: Kernel) -> None:
    assert "ZeroDivisionError" in kernel.run("%%mlrun\nfailing.result()").error


def test_futures_of_a_run_end_with_it_and_those_of_the_notebook_come_back(kernel: Kernel) -> None:
    shown = kernel.run("%%mlrun\nmade = da.ones(4, chunks=2).persist()\nlater_on = array.sum() + array.mean()")
    assert "'made' stayed on the worker" in shown.text and not shown.error, shown
    assert kernel.run("'made' in globals(), float(later_on.compute())").result == "(False, 10001.0)"
    shown = kernel.run("mlops.run(lambda: da.ones(4, chunks=2).persist()).result()")
    assert "a future ends with the run that made it" in shown.error, shown


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("mlops.run(uses).result()", "10.0"),
        ("sum(mlops.map(uses, range(40)).result())", "1180.0"),
        ("mlops.map(lambda n: future.result() + n, range(3)).result()", "[5, 6, 7]"),
        ("run = mlops.map(uses, range(20), detach=True)\nsum(run.result())", "390.0"),
    ],
)
def test_in_functions_and_maps(kernel: Kernel, code: str, result: str) -> None:
    shown = kernel.run(code)
    assert shown.result == result and not shown.text, shown


def test_kept_results_are_a_bag_without_a_client_too(kernel: Kernel) -> None:
    kernel.run("%%mlrun --keep\nkept = [1, 2, 3]")
    assert kernel.run("%%mlrun\nsum(kept.result())").result == "6"
    kernel.run("client.close()\nrun = mlops.map(lambda n: n * 2, range(10), keep=True)")
    assert kernel.run("run.wait()\nrun.bag().sum().compute()").result == "90"
