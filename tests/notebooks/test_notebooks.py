"""The example notebooks run as they are, from top to bottom, in a real kernel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from jupyter_mlops import places
from jupyter_mlops.client.clusters.listing import list_clusters

from ..kubernetes.clusters import Namespace

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
ON_KUBERNETES, WITH_TORCH = FOLDER / "05-on-kubernetes.ipynb", FOLDER / "06-deep-learning.ipynb"
WITH_A_SERVICE = FOLDER / "08-from-model-to-service.ipynb"
APART = (ON_KUBERNETES, WITH_TORCH, WITH_A_SERVICE)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home folder for all of them: a notebook goes on with the cluster that the one before it left."""
    folder = tmp_path_factory.mktemp("notebooks-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_MLOPS_HOME", str(folder))
        patch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        yield folder
        asyncio.run(_stop_all())


async def _stop_all() -> None:
    for state in (await list_clusters()).clusters:
        if state.phase != "ended":
            await places.get(state.place).stop(state.name, force=True)


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path not in APART], ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, home: Path) -> None:
    _run(path)


def test_the_one_with_a_service_ends_as_it_says(home: Path) -> None:
    notebook = _run(WITH_A_SERVICE)
    trail = next(cell for cell in notebook.cells if cell.source.startswith("mlops.trail"))
    told = str(trail.outputs[0].data["text/plain"])
    deeds = ["(pipeline) saved leaving@2", "went on with leaving@2", "took leaving@3 back", "had leaving@1 serve"]
    assert [deed for deed in deeds if deed not in told] == []


def test_the_one_with_pytorch(home: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch isn't installed: pip install 'jupyter-mlops[torch]'")
    notebook = _run(WITH_TORCH)
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "[gang] rank 1: ProcessEnded: the code's process was ended by SIGKILL" in said
    assert "[gang] It goes on from step 5" in said and "60 epochs in all" in said
    assert "of an earlier run, which had not come to its end" in said


def test_the_one_on_kubernetes(namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the tests' image in place of Dask's public one, as an administrator would change the profile."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KUBECONFIG", str(namespace.kubeconfig(tmp_path)))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    options = namespace.options()
    small = {"resources": {"requests": {"cpu": "50m", "memory": "100Mi"}}}
    profile = {
        "place": "kubernetes",
        "groups": [{"workers": 1, "maximum": 4, "memory": "900 MiB", "pod": {"spec": {"containers": [small]}}}],
        "kubernetes": {"image": options["image"], "grace": 5, "pod": options["scheduler"]},  # no pod on a fake node
    }
    path = tmp_path / "jupyter-mlops" / "profiles" / "kubernetes.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(profile))
    try:
        notebook = _run(ON_KUBERNETES)
    finally:
        asyncio.run(_stop_all())
    where = next(cell for cell in notebook.cells if cell.source == "where")
    assert "kubernetes-" in where.outputs[0].data["text/plain"], "the pod's name"
    local = nbformat.read(FOLDER / "01-first-cluster-and-map.ipynb", as_version=4)
    pipeline = [cell.source for cell in notebook.cells if "chunk" in cell.source and cell.cell_type == "code"]
    assert pipeline and set(pipeline) <= {cell.source for cell in local.cells}, "the pipeline is unchanged"


def _run(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    # What a cell shows may come long after its answer, where the machine is busy.
    patience = {"timeout": 900, "startup_timeout": 150, "iopub_timeout": 150}
    NotebookClient(notebook, **patience, resources={"metadata": {"path": str(FOLDER)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("text/html" in output.get("data", {}) for output in outputs), "a table or a panel is shown"
    return notebook


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_in_git_has_no_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)


def test_they_are_all_here() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06", "07", "08"]
