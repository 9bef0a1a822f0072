"""What users install: a sdist that brings the browser's part built, and a wheel made of it without Node."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from jupyter_mlops import __version__

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXTENSION = "share/jupyter/labextensions/jupyter-mlops"


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command; its output."""
    variables = {**os.environ, **environment}
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of this checkout."""
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=ROOT)
    return next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that pip makes of the sdist, on a machine without Node."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    source = next(path for path in folder.iterdir() if path.is_dir())
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=source, PATH="/nowhere")
    return next(folder.glob("*.whl"))


def test_the_wheel_has_everything_once(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert len(names) == len(set(names))
    data = [name.partition(".data/data/")[2] for name in names if ".data/data/" in name]
    assert f"{EXTENSION}/package.json" in data
    assert f"{EXTENSION}/install.json" in data
    assert any(name.startswith(f"{EXTENSION}/static/remoteEntry") for name in data)
    assert f"{EXTENSION}/schemas/jupyter-mlops/plugin.json" in data
    assert "etc/jupyter/jupyter_server_config.d/jupyter_mlops.json" in data
    packages = {name.split("/")[0] for name in names if ".data/" not in name and ".dist-info/" not in name}
    assert packages == {"jupyter_mlops"}
    assert not any(name.startswith("jupyter_mlops/labextension/") for name in names)


def test_installed_without_node_both_extensions_are_on(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path, with_pip=False)
    python = tmp_path / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    # What it depends on is this environment's; a path file's folder isn't searched for path files, so that the
    # editable install in it stays out of sight.
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = run(python, "-c", "import jupyter_mlops; print(jupyter_mlops.__file__)", cwd=tmp_path)
    assert where.startswith(str(tmp_path))
    alone = {"PATH": "/nowhere", "HOME": str(tmp_path)}
    server = run(python, "-m", "jupyter_server", "extension", "list", cwd=tmp_path, **alone)
    assert f"jupyter_mlops {__version__}" in server
    listed = run(python, "-m", "jupyterlab.labextensions", "list", cwd=tmp_path, **alone)
    line = next(line for line in listed.splitlines() if "jupyter-mlops v" in line)
    assert "enabled" in line
    assert "OK" in line
    assert str(tmp_path / EXTENSION.rpartition("/")[0]) in listed
