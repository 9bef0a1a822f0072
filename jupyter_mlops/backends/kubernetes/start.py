"""The first thing that runs in each pod: brings the code and packages that the image lacks, then starts a program.

    python start.py scheduler|worker [ARGUMENT …]

It travels beside `code.zip` in the cluster's ConfigMap and runs before there is a package: standard library only. An
image that has this very version of the package isn't given another copy.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "jupyter_mlops"


def main() -> None:
    """Prepare, then become the program that is asked for."""
    brought = Path(os.environ.get("HOME", "/tmp")) / ".jupyter-mlops"  # noqa: S108 - a pod's own
    sys.path[:] = [path for path in sys.path if path not in ("", str(HERE))]
    _bring_packages(brought / "packages")
    if not _has_code():
        with zipfile.ZipFile(HERE / "code.zip") as archive:
            archive.extractall(brought / "code")
        sys.path.insert(0, str(brought / "code"))
    program = sys.argv[1]
    del sys.argv[1]
    runpy.run_module(f"{PACKAGE}.backends.kubernetes.{program}", run_name="__main__", alter_sys=True)


def fingerprint(root: Path, names: list[str]) -> str:
    """One number for the content of these files under `root`."""
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(name.encode() + b"\\0" + (root / name).read_bytes() + b"\\0")
    return digest.hexdigest()


def _has_code() -> bool:
    """Whether the image has the package as it was sent."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return False
    sent = json.loads((HERE / "code.json").read_text(encoding="utf-8"))
    try:
        return bool(fingerprint(Path(spec.origin).parent.parent, sent["names"]) == sent["fingerprint"])
    except OSError:
        return False


def _bring_packages(folder: Path) -> None:
    """Install what the profile asks for, beside what the image has."""
    packages = HERE / "packages.txt"
    if not packages.exists() or not packages.read_text(encoding="utf-8").strip():
        return
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--target",
        str(folder),
        "--requirement",
        str(packages),
    ]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"The packages of the profile can't be installed: {packages.read_text(encoding='utf-8').split()}")
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))


if __name__ == "__main__":
    main()
