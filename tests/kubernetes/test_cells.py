"""Ordinary notebook code on pods, in one real kernel: what `tests/notebook` has in full for this machine holds where
neither the notebook's folder nor its packages are."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ..notebook.kernels import Kernel
from .kube import Kube
from .running import running

SETUP = """
import os, random
import dask.array as da
import numpy as np

os.environ["MY_SETTING"] = "7"
with open("table.csv", "w") as file:
    file.write("a")

class Point:
    def __init__(self, x):
        self.x = x

acc, conf, array, point = [1], {"k": 1}, np.zeros(3), Point(1)
held, limit, n, k, rng = [0], 1, 5, 7, np.random.default_rng(1)
client = mlops.cluster().client()
future = client.submit(lambda: 5)
persisted = da.ones((100, 100), chunks=50).persist()

def uses(number=0):
    return float(da.ones(10, chunks=5).sum().compute()) + number
"""


@pytest.fixture(scope="module")
def kernel(module_kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("cells")
    with running(module_kube, workers=2) as pods:
        made = Kernel(folder, pods.name, KUBECONFIG=str(pods.namespace.kubeconfig(folder)))
        try:
            assert not (shown := made.run(SETUP)).error, shown
            yield made
        finally:
            made.close()


def test_the_environment_goes_along_and_a_folder_that_can_not_is_named(kernel: Kernel) -> None:
    assert kernel.run("%%mlrun\nimport os\nos.environ['MY_SETTING']").result == "'7'"
    here = kernel.run("os.getcwd()").result.strip("'")
    named = rf"FileNotFoundError.*The code ran in /\S+: the notebook's folder, {here}, isn't there\. Name a place"
    for cell in (
        "%%mlrun\nopen('table.csv')",
        "%%mlrun\nimport numpy\nnumpy.loadtxt('table.csv')",
        f"%%mlrun\nopen({here + '/table.csv'!r})",
        "%%mlrun --map range(2)\nopen('table.csv')",
        "%%mlrun --map range(2) --on-error raise\nopen('table.csv')",
    ):
        assert re.search(named, (shown := kernel.run(cell)).error), shown.error
    for code in ("open('nowhere.csv')", "open('/nowhere.csv')", "import subprocess\nsubprocess.run(['nowhere'])"):
        assert "The code ran in" not in (shown := kernel.run(f"%%mlrun\n{code}")).error and shown.error


def test_all_it_says_is_shown(kernel: Kernel) -> None:
    cell = (
        "%%mlrun\nimport ctypes, subprocess, sys, threading\n"
        "print('x' * 100_000)\nsys.stdout.buffer.write(b'a buffer\\n')\n"
        "subprocess.run([sys.executable, '-c', 'print(\\'a child\\')'])\n"
        "thread = threading.Thread(target=print, args=('a thread',))\nthread.start()\nthread.join()\n"
        "ctypes.CDLL(None).puts(b'C')\nprint('a file \\udcff')\n"
        "display({'text/html': '<b>bold</b>', 'text/plain': 'bold'}, raw=True)\n7"
    )
    shown = kernel.run(cell)
    assert shown.result == "7" and "x" * 100 in shown.text, shown
    assert {"a buffer", "a child", "a thread", "C", "a file ?"} <= set(shown.text.splitlines())
    assert "<b>bold</b>" in [data.get("text/html") for data in shown.displays.values()]


def test_errors_are_the_users_own(kernel: Kernel) -> None:
    shown = kernel.run(
        "%%mlrun\ntry:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise KeyError('k') from error"
    )
    text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(shown.traceback))
    assert text.index("----> 3     1 / 0") < text.index("direct cause") < text.index("KeyError: 'k'")
    assert "jupyter_mlops" not in text


def test_what_a_cell_changes_comes_back_and_what_a_map_changes_is_said(kernel: Kernel) -> None:
    shown = kernel.run("%%mlrun\nacc.append(2)\nconf['k'] = 2\narray[1] = 5\npoint.x = 7")
    assert not shown.error and "changed on" not in shown.text, shown
    assert kernel.run("acc, conf, array.tolist(), point.x").result == "([1, 2], {'k': 2}, [0.0, 5.0, 0.0], 7)"
    shown = kernel.run("%%mlrun --map range(3)\nheld.append(item)")
    assert shown.text.count("'held' changed on the workers") == 1, shown.text
    assert kernel.run("held").result == "[0]"


@pytest.mark.parametrize(
    ("cell", "result"),
    [
        ("%%mlrun --map range(3)\nheld += [item]\nheld", "[[0, 0], [0, 1], [0, 2]]"),
        ("%%mlrun --map range(2)\ndef add():\n    global n\n    n += item\nadd()\nn", "[5, 6]"),
        ("%%mlrun --map range(2)\nclass C:\n    k = k\nC.k + item", "[7, 8]"),
        ("%%mlrun\neval('limit + k')", "8"),
        ("%%mlrun --map range(6) --out drawn\nfloat(rng.random())", ""),
        ("%%mlrun --map range(6) --out again\nfloat(rng.random())", ""),
        ("len(set(drawn)), len(set(again)), drawn == again", r"\(6, 6, \w+\)"),
    ],
)
def test_names_mean_what_they_say(kernel: Kernel, cell: str, result: str) -> None:
    shown = kernel.run(cell)
    assert not shown.error and (shown.result == result or re.fullmatch(result, shown.result)), shown


@pytest.mark.parametrize(
    ("cell", "result"),
    [
        ("%%mlrun\nfuture.result() + 1", "6"),
        ("%%mlrun\nfloat(persisted.sum().compute())", "10000.0"),
        ("%%mlrun\nuses()", "10.0"),
        ("sum(mlops.map(uses, range(4)).result())", "46.0"),
        ("%%mlrun\nfrom distributed import get_client\nget_client().submit(lambda: 7).result()", "7"),
    ],
)
def test_dask_inside(kernel: Kernel, cell: str, result: str) -> None:
    shown = kernel.run(cell)
    assert not shown.error and shown.result == result, shown
