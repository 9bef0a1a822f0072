"""What holds for the whole suite: it leaves no process and no file of ours behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings
from jupyter_core.paths import jupyter_data_dir

from jupyter_mlops import home
from jupyter_mlops.client.clusters.kernel import kernel
from jupyter_mlops.tracking import recorder, target

# How long an example takes is up to what else the machine does. And all runs of a commit try the same examples: one
# that fails fails again. `settings.load_profile("default")` here looks for others.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("any-machine")

pytest_plugins = ["pytest_jupyter.jupyter_server", "tests.failing", "tests.groups", "tests.kubernetes.fixtures"]

#: What a test stops may take this many seconds to go.
GRACE = 90.0


@pytest.fixture(autouse=True)
def jp_asyncio_loop(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.AbstractEventLoop]:
    """The loop that pytest-jupyter runs an `async def test_…` on. It ends as with `asyncio.run`: pytest-jupyter alone
    would close the loop over the tasks and threads that the test left."""
    yield jp_asyncio_loop
    jp_asyncio_loop.run_until_complete(_end_all_tasks())
    jp_asyncio_loop.run_until_complete(jp_asyncio_loop.shutdown_asyncgens())
    jp_asyncio_loop.run_until_complete(jp_asyncio_loop.shutdown_default_executor())


async def _end_all_tasks() -> None:
    """Again and again: a worker of Dask that is cancelled waits for its own end, which may have been cancelled too."""
    while left := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in left:
            task.cancel()
        done, _ = await asyncio.wait(left, timeout=1.0)
        await asyncio.gather(*done, return_exceptions=True)


@pytest.fixture(scope="session", autouse=True)
def nothing_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home folder of the suite's own, and a mark that every process inherits, however it detaches itself.

    A developer's own Kubernetes is not in sight: only the tests that ask for one get it.
    """
    real_home = Path(jupyter_data_dir()) / "jupyter-mlops"
    before = _files(real_home)
    mark = uuid.uuid4().hex
    # For good, not for the fixture's life: what the process does when it exits is the suite's, too.
    os.environ["JUPYTER_MLOPS_TESTS"] = mark
    os.environ["JUPYTER_MLOPS_HOME"] = str(tmp_path_factory.mktemp("home"))
    os.environ["KUBECONFIG"] = str(tmp_path_factory.getbasetemp() / "no-kubeconfig")
    os.environ[target.VARIABLE] = target.OFF  # its import takes each kernel's process seconds of a CPU
    yield
    recorder.close()
    left = _marked(mark)
    deadline = time.monotonic() + GRACE
    while left and time.monotonic() < deadline:
        psutil.wait_procs(left, timeout=0.5)
        left = _marked(mark)
    lines = [_line(process) for process in left]
    for process in left:
        process.kill()
    assert not lines, "these processes outlived the suite:\n" + "\n".join(lines)
    assert _files(real_home) == before, f"the suite wrote into {real_home}"


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are recorded in MLflow, as they are unless somebody says otherwise. Those of the tests before are not."""
    assert recorder.flush(450)
    monkeypatch.delenv(target.VARIABLE)


@pytest.fixture(scope="module", autouse=True)
def nothing_chosen() -> Iterator[None]:
    """The clusters that a file's tests used are none that the next file's have heard of."""
    yield
    kernel().selected, kernel().used = None, []
    shutil.rmtree(home.home() / "last-seen", ignore_errors=True)


def _files(folder: Path) -> set[Path]:
    return set(folder.rglob("*")) if folder.exists() else set()


def _marked(mark: str) -> list[psutil.Process]:
    """Processes of the suite, but for itself and what ends with it."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.pid != os.getpid() and process.environ().get("JUPYTER_MLOPS_TESTS") == mark
            if ours and process.status() != psutil.STATUS_ZOMBIE and not _tracker(process):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def _tracker(process: psutil.Process) -> bool:
    """Python's own helper, a child of ours that lives as long as we do."""
    return process.ppid() == os.getpid() and any("resource_tracker" in word for word in process.cmdline())


def _line(process: psutil.Process) -> str:
    try:
        return f"{process.pid}: {' '.join(process.cmdline())[:300]}"
    except psutil.NoSuchProcess:
        return f"{process.pid}: gone by now"
