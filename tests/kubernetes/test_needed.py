"""What a scheduler, and a service, need and Dask's images lack, without a pod."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest

from jupyter_mlops.places.kubernetes.records import code

from .wheels import wheel

pytestmark = pytest.mark.slow


def test_a_scheduler_gets_what_the_image_lacks_and_nothing_else(tmp_path: Path) -> None:
    needed = str(code.packed()["needed.txt"]).split()
    assert {"pydantic", "kubernetes.aio", "aiohttp"} == set(needed[::2])
    assert all("==" in pin for pin in needed[1::2]), "the kernel's versions"
    wheel(tmp_path, "tinylack", "1.2.0", "")
    wanted = "pydantic pydantic==0.1\ntinylack.part tinylack==1.2.0"
    assert _installed(tmp_path / "worker", "worker", wanted, tmp_path) == set()
    assert _installed(tmp_path / "scheduler", "scheduler", wanted, tmp_path) >= {"tinylack"}


def test_a_service_s_pods_import_what_is_brought_and_named_and_nothing_else(tmp_path: Path) -> None:
    packed = code.packed_for_service()
    content = packed["code.zlib"]
    assert isinstance(content, bytes)
    with zipfile.ZipFile(io.BytesIO(zlib.decompress(content))) as archive:
        archive.extractall(tmp_path)
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import jupyter_mlops.serving.pod, jupyter_mlops.serving.replica
tops = {{name.partition(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names)
found = {{top: getattr(sys.modules[top], "__file__", None) or "" for top in tops}}
print(*sorted(top for top, file in found.items() if "site-packages" in file))
print(*sorted(top for top, file in found.items() if file.startswith({str(tmp_path)!r})))
"""
    without = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    told = subprocess.run([sys.executable, "-c", script], env=without, capture_output=True, text=True, check=True)
    installed, brought = (set(line.split()) for line in told.stdout.splitlines())
    assert brought == {"jupyter_mlops", "prometheus_client"}
    named = set(str(packed["needed.txt"]).split()[::2])
    of_pydantic = {"annotated_types", "pydantic_core", "typing_extensions", "typing_inspection"}
    assert installed - of_pydantic <= named | {"_cffi_backend", "_distutils_hack"}, installed


def test_the_pods_of_notebooks_import_what_is_brought_and_named_and_what_that_has(tmp_path: Path) -> None:
    """A kernel's cells, with nothing of Jupyter's server, its widgets or MLflow, which few images have."""
    packed = code.packed_for_pipeline()
    content = packed["code.zlib"]
    assert isinstance(content, bytes) and len(content) < 900_000, "a Secret has 1 MiB"
    with zipfile.ZipFile(io.BytesIO(zlib.decompress(content))) as archive:
        archive.extractall(tmp_path)
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import jupyter_mlops.pipelines.pod, jupyter_mlops.notebook.drive
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "jupyter_mlops")
shell.run_cell("import jupyter_mlops as mlops; mlops.Run, mlops.start, mlops.map, mlops.log_metric")
shell.run_cell("%%mlrun --cluster none --step a\\nx = 1")
for name in ("save_model", "score", "deploy", "trail"):
    try:
        getattr(sys.modules["jupyter_mlops"], name)
    except sys.modules["jupyter_mlops.core.errors"].Unavailable as error:
        assert f"There is no mlops.{{name}} here: a pod has what its task needs" in str(error), error
    else:
        raise AssertionError(name)
tops = {{name.partition(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names)
print(*sorted(top for top in tops if "site-packages" in (getattr(sys.modules[top], "__file__", None) or "")))
"""
    home = {"JUPYTER_MLOPS_HOME": str(tmp_path / "home"), "JUPYTER_MLOPS_TRACKING_URI": "off"}
    without = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    told = subprocess.run([sys.executable, "-c", script], env=without | home, capture_output=True, text=True)
    assert "There is no cluster named 'none'" in told.stdout + told.stderr
    found = set(told.stdout.splitlines()[-1].split())
    assert "IPython" in found
    lacking = {"ipywidgets", "ipykernel", "jupyter_server", "jupyter_client", "mlflow", "sqlalchemy", "zmq"}
    assert not found & lacking


def _installed(folder: Path, program: str, needed: str, index: Path) -> set[str]:
    """What `start.py` installs for a program; that the program itself ends at once is no matter."""
    folder.mkdir()
    for name in ("start.py", "code.json"):
        (folder / name).write_text(str(code.packed()[name]))
    (folder / "needed.txt").write_text(needed)
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        [sys.executable, str(folder / "start.py"), program],
        env={**os.environ, **pip, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode != 0 and "can't be installed" not in done.stderr and "lacks what" not in done.stderr
    brought = folder / ".jupyter-mlops" / "packages"
    return {path.name for path in brought.iterdir()} if brought.exists() else set()
