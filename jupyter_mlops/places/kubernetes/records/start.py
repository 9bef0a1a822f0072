"""The first thing that runs in each pod: brings the code and packages that the image lacks, then starts a program.

    python start.py scheduler|worker|service|pipeline|wall [ARGUMENT …]

It travels beside `code.zlib` in a Secret of what its pod is of, and runs before there is a
package: standard library only. An image that has this very version of the package isn't given another copy.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import io
import json
import os
import runpy
import signal
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PACKAGE = "jupyter_mlops"
#: The programs that aren't among those of clusters: name → module.
ELSEWHERE = {
    "service": f"{PACKAGE}.serving.pod",
    "pipeline": f"{PACKAGE}.pipelines.pod",
    "wall": f"{PACKAGE}.places.kubernetes.wall.program",
}


def main() -> None:
    """Prepare, then become the program that is asked for."""
    if sys.argv[1] in ELSEWHERE:  # the first process of a pod ignores what nobody listens to, and the pod would linger
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    brought = Path(os.environ.get("HOME", "/tmp")) / ".jupyter-mlops"  # noqa: S108 - a pod's own
    sys.path[:] = [path for path in sys.path if path not in ("", str(HERE))]
    _bring_packages(brought / "packages", sys.argv[1])
    if not _has_code():
        with zipfile.ZipFile(io.BytesIO(zlib.decompress((HERE / "code.zlib").read_bytes()))) as archive:
            archive.extractall(brought / "code")
        sys.path.insert(0, str(brought / "code"))
    program = sys.argv[1]
    del sys.argv[1]
    module = ELSEWHERE.get(program, f"{PACKAGE}.places.kubernetes.runtime.{program}")
    runpy.run_module(module, run_name="__main__", alter_sys=True)


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


def _bring_packages(folder: Path, program: str) -> None:
    """Install, beside what the image has, what the profile asks for, what a scheduler or a service needs besides Dask,
    and what the kernel, or the model, has and the image lacks."""
    asked = [line for line in _read("packages.txt").splitlines() if line.strip()]
    if asked and (failed := _install(asked, folder, "--upgrade")):
        sys.exit(f"The packages of the profile can't be installed: {' '.join(asked)}. {failed}")
    wanted = [line.split() for line in _read("needed.txt").splitlines()] if program != "worker" else []
    needed = [pin for module, pin in wanted if not _is_there(module)]
    if needed and (failed := _install(needed, folder)):
        sys.exit(f"The image lacks what a {program} needs: {' '.join(needed)}. {failed}")
    options = _options()
    lacking = [pin for pin in map(str, options.get("kernel_packages", [])) if _lacks(pin)]
    index = {str(name): str(value) for name, value in options.get("package_index", {}).items()}
    if lacking and (failed := _install(lacking, folder, "--no-deps", "--only-binary", ":all:", index=index)):
        # The kernel sees what is missing still, and says it where somebody reads it.
        print(f"The packages of the kernel can't be installed: {' '.join(lacking)}. {failed}", file=sys.stderr)
    if folder.exists():
        sys.path.insert(0, str(folder))
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))


def _options() -> dict[str, Any]:
    """The profile's options, as the spec has them; none where the spec can't be read, which its program says."""
    try:
        return dict(json.loads(_read("spec.json") or "{}")["profile"]["options"])
    except (ValueError, LookupError, TypeError):
        return {}


def _read(name: str) -> str:
    path = HERE / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _is_there(module: str) -> bool:
    """Whether the image has the module; one of a package that it lacks can't be looked for."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _lacks(pin: str) -> bool:
    """Whether the image has another version than `pin`, a name==version, or none."""
    name, _, wanted = pin.partition("==")
    try:
        return importlib.metadata.version(name) != wanted
    except importlib.metadata.PackageNotFoundError:
        return True


def _install(packages: list[str], folder: Path, *options: str, index: dict[str, str] | None = None) -> str:
    """Why it didn't work; empty when it did. `index` has variables that tell pip where to look."""
    if importlib.util.find_spec("pip") is None:
        return "The image has no pip; use an image that has the packages."
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--retries", "1", "--target", str(folder), *options, *packages]
    environment = {**os.environ, **(index or {})}
    done = subprocess.run(
        command, stderr=subprocess.PIPE, encoding="utf-8", errors="replace", check=False, env=environment
    )
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return "" if done.returncode == 0 else lines[-1] if lines else f"pip ended with {done.returncode}"


if __name__ == "__main__":
    main()
