from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

import jupyter_mlops as mlops

from ..runs.cluster import a_cluster
from .kernels import Kernel


@pytest.fixture(scope="module")
def notebook_cluster() -> Iterator[mlops.Cluster]:
    """One for the tests of a file, as those of runs have it."""
    with a_cluster("notes") as made:
        yield made


@pytest.fixture(scope="module")
def kernel(
    notebook_cluster: mlops.Cluster, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Kernel]:
    """A real kernel for all tests of a file, whose first cell is the file's `SETUP`, if it has one."""
    made = Kernel(tmp_path_factory.mktemp("notebook"))
    shown = made.run(getattr(request.module, "SETUP", ""))
    assert not shown.error, shown
    yield made
    made.close()


@pytest.fixture
def shell(
    notebook_cluster: mlops.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[InteractiveShell]:
    """A real IPython in a folder of its own, with the extension loaded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance(colors="nocolor")
    made.run_line_magic("load_ext", "jupyter_mlops")
    made.run_line_magic("mlcluster", "select notes")
    yield made
    made.history_manager.end_session()
    made.restore_sys_module_state()  # __main__ is pytest's again
    InteractiveShell.clear_instance()


@pytest.fixture
def run_cell(shell: InteractiveShell) -> Callable[[str], Any]:
    """Runs a cell that must work; gives its output."""

    def run(source: str) -> Any:
        result: ExecutionResult = shell.run_cell(source, store_history=True)
        result.raise_error()
        return result.result

    return run
