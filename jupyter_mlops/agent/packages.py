"""Packages of the kernel in this process: files that came along, and others that pip installs beside them.

Works in workers, which it reaches as text, and in the scheduler.
"""

from __future__ import annotations

import importlib
import io
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
import zipfile
from pathlib import Path
from typing import Any

#: Seconds that pip may take.
PATIENCE = 600.0

#: What holds packages: `digest` names it, `files` is a zip, `pins` are what pip installs, as name==version, and
#: `modules` the import names that they bring; `index` has the variables that tell pip where the kernel's came from.
PackageBundle = dict[str, Any]

_lock = threading.Lock()


class CantBring(Exception):
    """The packages can't be had in this process; says why."""


def platform_of() -> dict[str, str]:
    """What compiled packages must agree with."""
    import platform

    return {
        "python": f"{platform.python_implementation()} {'.'.join(map(str, sys.version_info[:2]))}",
        "platform": sysconfig.get_platform(),
        "libc": platform.libc_ver()[0],
    }


def bring(bundle: PackageBundle, folder: Path, first: bool = True) -> None:
    """Make the packages of `bundle` importable, unpacked under `folder`. Blocks.

    Parameters
    ----------
    first : whether they go before what is installed here; else they only add to it.

    Raises
    ------
    CantBring
    """
    with _lock:
        _check(folder)
        place = folder / f"packages-{bundle['digest']}"
        if not place.exists():
            _unpack(bundle, place)
        if str(place) in sys.path:
            return
        if first:
            _make_room(bundle["modules"])
        sys.path.insert(0 if first else len(sys.path), str(place))
        known = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join([str(place), known] if known else [str(place)])
        importlib.invalidate_caches()
        _forget_versions()


def _check(folder: Path) -> None:
    """Raise `CantBring` when others may write into `folder`: what is in it will be imported."""
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise CantBring(f"others may write into {folder}")


def _unpack(bundle: PackageBundle, place: Path) -> None:
    fresh = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        fresh.mkdir(parents=True)
        with zipfile.ZipFile(io.BytesIO(bundle["files"])) as archive:
            archive.extractall(fresh)
        if bundle["pins"]:
            _install(bundle["pins"], fresh, bundle.get("index", {}))
        fresh.rename(place)
    except OSError as error:
        if not place.exists():  # another process may have been quicker
            raise CantBring(f"{error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _install(pins: list[str], folder: Path, index: dict[str, str]) -> None:
    """Exactly these, and nothing that they name in turn: what is missing of that is in the bundle, too. From where the
    kernel has them: another index may have others of that name."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--retries", "1", "--target", str(folder), *pins]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE,
            check=False,
            env={**os.environ, **index},
        )
    except subprocess.TimeoutExpired:
        raise CantBring(f"pip took more than {PATIENCE:.0f} s to install {', '.join(pins)}") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise CantBring(f"pip can't install {', '.join(pins)}: {lines[-1] if lines else 'it gave no reason'}")


def _make_room(modules: list[str]) -> None:
    """Forget loaded modules of other versions, so that they are imported anew.

    Raises
    ------
    CantBring : they are compiled, and can't be loaded twice into a process.
    """
    loaded = [name for name in list(sys.modules) if name.partition(".")[0] in modules]
    for name in loaded:
        path = str(getattr(sys.modules[name], "__file__", None) or "")
        if path.endswith((".so", ".pyd", ".dylib")):
            raise CantBring(f"another version of {name.partition('.')[0]} is in use there")
    for name in loaded:
        sys.modules.pop(name, None)


def _forget_versions() -> None:
    package = __name__.rpartition(".")[0]
    versions = sys.modules.get(f"{package}.versions")
    if versions is not None:
        versions.forget()
