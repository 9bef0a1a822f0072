"""The first program of a pod, without a pod: which packages it installs, and what it says when it can't."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import jupyter_mlops
from jupyter_mlops.places.kubernetes import pricelist
from jupyter_mlops.places.kubernetes.records import code

from .wheels import wheel


def test_packages_of_the_profile_and_of_the_kernel(tmp_path: Path) -> None:
    """The kernel's are installed where the image has others; when that can't be, the pod starts all the same."""
    wheel(tmp_path, "tinyasked", "1.0", "")
    wheel(tmp_path, "tinylack", "1.2.0", "", "nowhere")
    here = f"cloudpickle=={version('cloudpickle')}"
    done = _start(tmp_path, ["tinyasked"], [here, "tinylack==1.2.0"])
    assert done.returncode == 0, done.stderr
    brought = {path.name for path in (tmp_path / ".jupyter-mlops" / "packages").iterdir()}
    assert {"tinyasked", "tinylack"} <= brought and "cloudpickle" not in brought
    done = _start(tmp_path, [], ["nowhere==1.0"])
    assert done.returncode == 0 and "The packages of the kernel can't be installed: nowhere==1.0" in done.stderr


def test_a_spec_that_can_not_be_read_lacks_no_packages(tmp_path: Path) -> None:
    """The scheduler's program says what is wrong with it; a worker needs nothing of it."""
    done = _start(tmp_path, [], [], spec='{"profile": ')
    assert done.returncode == 0, done.stderr


def test_a_secret_has_room_for_the_code_and_prices() -> None:
    """It holds 1 MiB."""
    assert sum(len(content) for content in code.packed().values()) + pricelist.MOST < 2**20 - 40_000


def test_what_the_pods_of_a_cluster_get_imports_nothing_of_ours_that_they_do_not_get() -> None:
    root = Path(jupyter_mlops.__file__).parents[1]
    names = set(code.files())
    for name in sorted(names):
        package = name.split("/")[:-1]
        for node in ast.parse((root / name).read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            module = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            path = "/".join(filter(None, module))
            for found in (f"{path}.py", f"{path}/__init__.py", *(f"{path}/{each.name}.py" for each in node.names)):
                assert found in names or not (root / found).exists(), f"{name} needs {found}"


def test_packages_of_the_profile_that_can_not_be_installed_end_the_pod(tmp_path: Path) -> None:
    done = _start(tmp_path, ["nowhere==1.0"], [])
    assert done.returncode == 1 and "The packages of the profile can't be installed: nowhere==1.0" in done.stderr
    assert "No matching distribution found" in done.stderr


def _start(folder: Path, packages: list[str], kernel: list[str], spec: str = "") -> subprocess.CompletedProcess[str]:
    """Run `start.py` as a pod would, with a program that does nothing; pip finds wheels in `folder` only."""
    mounted = folder / "mounted"
    mounted.mkdir(exist_ok=True)
    for name, content in code.packed().items():
        (mounted / name).write_bytes(content.encode() if isinstance(content, str) else content)
    (mounted / "packages.txt").write_text("\n".join(packages))
    whole = json.dumps({"profile": {"options": {"kernel_packages": kernel}}})
    (mounted / "spec.json").write_text(spec or whole)
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": os.devnull}
    command = [sys.executable, str(mounted / "start.py"), "nodes"]
    environment = {**os.environ, **index, "HOME": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
