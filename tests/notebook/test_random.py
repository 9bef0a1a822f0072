"""Random numbers of a map's items, in a real kernel: each its own, and the same however the work is divided."""

from __future__ import annotations

import pytest

from .kernels import Kernel

pytestmark = pytest.mark.slow

SETUP = """
import random, time
from random import random as draw

import numpy as np

class Model:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

def start():
    global rng, old, python, model, torn
    rng, old, python, model = np.random.default_rng(1), np.random.RandomState(1), random.Random(1), Model(1)
    random.seed(1)

def helper():
    return rng.random()

def given(item, source=np.random.default_rng(5)):
    return source.random()

def enclosed():
    inner = np.random.default_rng(6)
    return lambda item: inner.random()

start()
"""


@pytest.mark.parametrize(
    "code",
    [
        "rng.random()",
        "old.rand()",
        "python.random()",
        "model.rng.normal()",
        "helper()",
        "draw()",
        "(rng.random(), 1)[0]",
    ],
)
def test_each_item_has_its_own_whoever_runs_it(kernel: Kernel, code: str) -> None:
    cell = f"%%mlrun --out {{}} --map range(40)\n{code}"
    kernel.run("start()")
    kernel.run(cell.format("one"))
    kernel.run(cell.format("next_one"))
    kernel.run("start()")
    slow = f"%%mlrun --out other --map (n for n in range(40))\ntime.sleep(0.02 * (item % 3))\n{code}"
    assert "changed on" not in kernel.run(slow).text
    look = "one == other, len(set(one)), len(set(one) & set(next_one))"
    assert kernel.run(look).result == "(True, 40, 0)", kernel.run("one, other").result


def test_a_generator_in_a_functions_default_or_around_it(kernel: Kernel) -> None:
    for function in ("given", "enclosed()"):
        kernel.run(f"values = mlops.map({function}, range(30)).result()")
        assert kernel.run("len(set(values))").result == "30"


def test_an_item_that_is_tried_again_has_the_same_numbers(kernel: Kernel) -> None:
    kernel.run("start()\nimport pathlib, tempfile\nfolder = pathlib.Path(tempfile.mkdtemp())")
    kernel.run("%%mlrun --out smooth --map range(6)\nrng.random()")
    kernel.run("start()")
    fails_once = (
        "%%mlrun --out rough --retries 2 --map range(6)\nvalue = rng.random()\n"
        "if not (folder / str(item)).exists():\n    (folder / str(item)).touch()\n    raise ValueError(item)\nvalue"
    )
    kernel.run(fails_once)
    assert kernel.run("smooth == rough").result == "True"


def test_a_plain_cell_goes_on_where_the_notebook_is(kernel: Kernel) -> None:
    kernel.run(
        "rng = np.random.default_rng(3)\nexpected = list(np.random.default_rng(3).random(3))\nfirst = rng.random()"
    )
    kernel.run("%%mlrun\nsecond = rng.random()")
    assert kernel.run("[first, second, rng.random()] == expected").result == "True"


def test_one_that_the_notebook_did_not_seed_differs_between_processes(kernel: Kernel) -> None:
    kernel.run("%%mlrun --out values --map range(20)\ntime.sleep(0.05)\nnp.random.rand(), random.random()")
    assert kernel.run("len(set(values))").result == "20"
