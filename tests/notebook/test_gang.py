"""`%%mlrun --gang` in a real kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import jupyter_mlops as mlops

from ..runs.cluster import LONG
from .kernels import Kernel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def kernel(notebook_cluster: mlops.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    notebook_cluster.scale(2)
    notebook_cluster.wait(2, LONG)
    made = Kernel(tmp_path_factory.mktemp("gang"))
    yield made
    made.close()


def test_a_cell_runs_as_one_program_on_several_workers(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run(f"from pathlib import Path\nfolder = Path({str(tmp_path)!r})\nscale = 10")
    cell = """%%mlrun --gang 2 --out loss@all,total
import time
print("here")
(folder / str(mlops.rank())).touch()
while len(list(folder.iterdir())) < mlops.world():
    time.sleep(0.01)
loss, total, other = mlops.rank() * scale, mlops.world(), 1
loss + 1"""
    shown = kernel.run(cell)
    assert shown.result == "1", shown
    assert "[rank 0] here" in shown.text and "[rank 1] here" in shown.text
    assert any("2 ranks" in line for line in shown.lines)
    assert kernel.run("loss, total, 'other' in globals()").result == "([0, 10], 2, False)"


def test_an_error_is_told_of_its_rank_and_shows_the_users_line(kernel: Kernel) -> None:
    cell = "%%mlrun --gang 2\nimport time\nif mlops.rank() == 1:\n    1 / 0\ntime.sleep(100)"
    shown = kernel.run(cell)
    assert "rank 1: ZeroDivisionError" in shown.error
    assert "1 / 0" in re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(shown.traceback))


def test_the_stop_button_ends_all_ranks(kernel: Kernel) -> None:
    request = kernel.send("%%mlrun --gang 2\nimport time\nprint('begun')\ntime.sleep(1000)")
    kernel.follow(request, until_text="begun")
    kernel.manager.interrupt_kernel()
    assert "The kernel was interrupted" in kernel.follow(request).error
    assert kernel.run("%%mlrun --gang 2\nmlops.world()").result == "2"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--gang two", "--gang can't be 'two'"),
        ("--gang 0", "gang can't be 0"),
        ("--gang 2:x", "--gang can't be 'x'"),
        ("--gang 0:2", "gang can't be 0"),
        ("--gang 3:2", "can't have 3 to 2 workers"),
        ("--gang 2 --per-worker 0", "per_worker can't be 0"),
        ("--per-worker 2", "per_worker needs a gang"),
        ("--gang 2 --map range(3)", "--map and --gang can't be combined"),
        ("--gang 2 --keep", "A gang can't have keep"),
        ("--gang 2 --hang soon", "hang can't be 'soon'"),
        ("--hang off", "hang needs a gang"),
        ("--gang 2 --retries 2", "A gang can't have retries"),
        ("--out x@all", "NAME@all goes with --gang"),
        ("--gang 2 --out x@some", "NAME@all goes with --gang"),
        ("--gang 1000", "can't have 1000 workers"),
    ],
)
def test_what_a_gang_cannot_be_is_a_sentence(kernel: Kernel, line: str, words: str) -> None:
    shown = kernel.run(f"%%mlrun {line}\nx = 1")
    assert words in shown.error, shown
