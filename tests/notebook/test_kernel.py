"""`%%mlrun` in real kernels: prints as they come, interrupts, and runs that outlive their kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import jupyter_mlops as mlops

from ..runs.cluster import until
from .kernels import Kernel

pytestmark = pytest.mark.slow


@pytest.fixture
def kernel(notebook_cluster: mlops.Cluster, tmp_path: Path) -> Iterator[Kernel]:
    made = Kernel(tmp_path)
    yield made
    made.close()


def test_prints_appear_under_the_running_cell_as_they_come(kernel: Kernel, tmp_path: Path) -> None:
    """Its code goes on once the first is seen."""
    seen = tmp_path / "seen"
    request = kernel.send(
        f"%%mlrun\nimport time\nfrom pathlib import Path\nprint('first')\n"
        f"while not Path({str(seen)!r}).exists():\n    time.sleep(0.01)\nprint('last')"
    )
    assert kernel.follow(request, until_text="first").text == "first\n"
    seen.touch()
    shown = kernel.follow(request)
    assert not shown.error and "last" in shown.text


def test_a_longer_run_has_a_progress_bar_and_leaves_a_line(kernel: Kernel) -> None:
    shown = kernel.run("%%mlrun --map range(100) --out r\nimport time\ntime.sleep(0.03)\nitem")
    assert "application/vnd.jupyter.widget-view+json" in shown.mimes
    assert [list(data) for data in shown.displays.values()] == [["text/plain"]]
    assert re.fullmatch(r"done · 100 items · .* s · .*on notes", shown.lines[0]), shown.lines
    assert kernel.run("import ipywidgets\nlen(r), [*ipywidgets.Widget.widgets]").result == "(100, [])"


def test_interrupting_the_kernel_stops_the_code_and_the_kernel_goes_on(kernel: Kernel) -> None:
    request = kernel.send("%%mlrun\nprint('begun')\nwhile True:\n    pass")
    kernel.follow(request, until_text="begun")
    kernel.manager.interrupt_kernel()
    assert "The kernel was interrupted" in kernel.follow(request).error
    until(lambda: mlops.cluster("notes").state().counts.busy == 0)
    assert kernel.run("%%mlrun\n1 + 1").result == "2"


def test_an_interrupted_map_stops_too(kernel: Kernel) -> None:
    request = kernel.send("%%mlrun --map range(10000)\nimport time\nprint('item')\ntime.sleep(0.1)")
    kernel.follow(request, until_text="item")
    kernel.manager.interrupt_kernel()
    assert "RunCancelled" in kernel.follow(request).error
    until(lambda: mlops.cluster("notes").state().counts.busy == 0)


def test_a_cancel_from_elsewhere_ends_the_cell(kernel: Kernel) -> None:
    request = kernel.send("%%mlrun --name endless\nprint('begun')\nwhile True:\n    pass")
    kernel.follow(request, until_text="begun")
    until(lambda: _named("endless"))  # its record is written in the background
    _named("endless")[0].cancel("cancelled from the sidebar")
    assert "Cancelled from the sidebar" in kernel.follow(request).error


def test_a_detached_run_outlives_its_kernel(kernel: Kernel, tmp_path: Path) -> None:
    code = "%%mlrun --detach --map range(20)\nimport time\ntime.sleep(0.1)\nprint('item', item)\nitem * 2"
    shown = kernel.run(code)
    assert "without this notebook" in shown.text
    run = kernel.run("_mlrun.id").result.strip("'")
    kernel.kill()
    other = Kernel(tmp_path)
    try:
        shown = other.run(f"run = mlops.get_run('{run}')\nrun.result() == [i * 2 for i in range(20)]")
        assert shown.result == "True"
        assert sorted(other.run("print(run.prints())").text.split("\n")[:20]) == sorted(f"item {i}" for i in range(20))
    finally:
        other.close()


def test_an_attached_run_is_lost_with_its_kernel(kernel: Kernel) -> None:
    request = kernel.send("%%mlrun --name orphan\nprint('begun')\nwhile True:\n    pass")
    kernel.follow(request, until_text="begun")
    kernel.kill()
    until(lambda: [run.state for run in _named("orphan")] == ["lost"])
    until(lambda: mlops.cluster("notes").state().counts.busy == 0)


def _named(name: str) -> list[Any]:
    return [run for run in mlops.runs() if run.name == name]


def test_loading_is_quick_and_light(kernel: Kernel) -> None:
    code = (
        "import subprocess, sys\n"
        "code = 'import sys, time; t = time.perf_counter(); import jupyter_mlops; '"
        "'jupyter_mlops.load_ipython_extension; '"
        '\'print({"pydantic", "distributed", "mlflow"} & set(sys.modules))\'\n'
        "print(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout)"
    )
    assert kernel.run(code).text.strip() == "set()"
