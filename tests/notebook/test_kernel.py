"""`%%mlrun` in real kernels: prints as they come, interrupts, and runs that outlive their kernel."""

from __future__ import annotations

import os
import queue
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

import jupyter_mlops as mlops

from ..runs.cluster import LONG, until


@dataclass
class Shown:
    """What a cell showed: text with the time at which it came, widgets, its error."""

    texts: list[tuple[float, str]] = field(default_factory=list)
    mimes: list[str] = field(default_factory=list)
    result: str = ""
    error: str = ""

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.texts)


class Kernel:
    """A kernel with the extension loaded and the tests' cluster selected."""

    def __init__(self, folder: Path) -> None:
        self.manager: KernelManager
        self.client: BlockingKernelClient
        self.manager, self.client = start_new_kernel(startup_timeout=LONG, cwd=str(folder))
        self.run("%load_ext jupyter_mlops\n%mlcluster select notes\nimport jupyter_mlops as mlops")

    def send(self, source: str) -> str:
        return self.client.execute(source)

    def follow(self, request: str, until_text: str | None = None) -> Shown:
        """What the cell shows until it is over, or until it has shown a text."""
        shown, deadline = Shown(), time.monotonic() + LONG
        while time.monotonic() < deadline:
            try:
                message: dict[str, Any] = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                shown.texts.append((time.time(), content["text"]))
                if until_text is not None and until_text in shown.text:
                    return shown
            elif kind == "display_data":
                shown.mimes += content["data"]
            elif kind == "execute_result":
                shown.result = content["data"]["text/plain"]
            elif kind == "error":
                shown.error = f"{content['ename']}: {content['evalue']}"
            elif kind == "status" and content["execution_state"] == "idle":
                return shown
        raise AssertionError(f"not over within {LONG} s; it showed {shown}")

    def run(self, source: str) -> Shown:
        return self.follow(self.send(source))

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(notebook_cluster: mlops.Cluster, tmp_path: Path) -> Iterator[Kernel]:
    made = Kernel(tmp_path)
    yield made
    made.close()


def test_prints_appear_under_the_running_cell_as_they_come(kernel: Kernel) -> None:
    shown = kernel.run("%%mlrun\nimport time\nfor _ in range(5):\n    print('at', time.time())\n    time.sleep(0.3)")
    assert not shown.error
    lags = sorted(
        at - float(line.split()[1]) for at, text in shown.texts for line in text.splitlines() if line[:2] == "at"
    )
    assert len(shown.texts) >= 5 and lags[0] < 0.1, lags  # the quickest: the machine may be busy with other things


def test_a_longer_run_has_a_progress_bar(kernel: Kernel) -> None:
    shown = kernel.run("%%mlrun --map range(100) --out r\nimport time\ntime.sleep(0.03)\nitem")
    assert "application/vnd.jupyter.widget-view+json" in shown.mimes
    state = kernel.run(
        "import ipywidgets\nbar = [w for w in ipywidgets.Widget.widgets.values() if hasattr(w, 'bar_style')][0]\n"
        "bar.value, bar.bar_style, len(r)"
    )
    assert state.result == "(1.0, 'success', 100)"


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
    next(run for run in mlops.runs() if run.name == "endless").cancel("cancelled from the sidebar")
    assert "Cancelled from the sidebar" in kernel.follow(request).error


def test_a_detached_run_outlives_its_kernel(kernel: Kernel, tmp_path: Path) -> None:
    code = "%%mlrun --detach --map range(20)\nimport time\ntime.sleep(0.1)\nprint('item', item)\nitem * 2"
    shown = kernel.run(code)
    assert "without this notebook" in shown.text
    run = kernel.run("_mlrun.id").result.strip("'")
    pid = kernel.manager.provisioner.pid  # type: ignore[union-attr]  # it runs
    os.kill(pid, signal.SIGKILL)
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
    os.kill(kernel.manager.provisioner.pid, signal.SIGKILL)  # type: ignore[union-attr]  # it runs
    until(lambda: next(run for run in mlops.runs() if run.name == "orphan").state == "lost")
    until(lambda: mlops.cluster("notes").state().counts.busy == 0)


def test_loading_is_quick_and_light(kernel: Kernel) -> None:
    code = (
        "import subprocess, sys\n"
        "code = 'import sys, time; t = time.perf_counter(); import jupyter_mlops; '"
        "'jupyter_mlops.load_ipython_extension; '"
        '\'print({"pydantic", "distributed", "mlflow"} & set(sys.modules))\'\n'
        "print(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout)"
    )
    assert kernel.run(code).text.strip() == "set()"
