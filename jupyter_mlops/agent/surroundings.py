"""Where a notebook's code lives, so that its runners live there, too: its folder, environment and import paths."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from .forking import NATIVE

#: Environment variables with other values; None: without that one.
Changes = dict[str, str | None]

#: Environment variables that belong to the kernel's own process, not to its user's code.
OWN = ("JPY_", "JUPYTER", "PYDEVD", "IPY", "MPLBACKEND", "TERM", "CLICOLOR", "PAGER", "GIT_PAGER", "FORCE_COLOR")

#: The test that pytest runs at this moment: another with each, and nothing that is imported hangs on it.
TEST = "PYTEST_CURRENT_TEST"

#: The variable in which a place's worker has the names of those that its cluster's profile gives it.
GIVEN = "JUPYTER_MLOPS_GIVEN"

#: Where the system can't tell how this process began: what there was when this was imported.
_FIRST = dict(os.environ)

#: The names of those that clusters have from this process.
_handed: set[str] = set()


class Surroundings(TypedDict):
    """What a process of the user's has around it. `environ` is what was set since it began, `removed` are the names of
    what it had then, or when it started a cluster, and has no more."""

    machine: str
    folder: str
    environ: dict[str, str]
    removed: list[str]
    path: list[str]


def machine() -> str:
    """Names the machine, as far as files go: a container is one of its own."""
    seen = [socket.gethostname()]
    with contextlib.suppress(OSError):  # elsewhere than on Linux the name must do
        seen += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), str(Path("/proc/self/ns/mnt").readlink())]
    return " ".join(seen)


def here() -> Surroundings:
    """Those of this process."""
    began = _environ_at_start()
    changed = {
        name: value for name, value in os.environ.items() if began.get(name) != value and not name.startswith(OWN)
    }
    had = began.keys() | _handed
    removed = sorted(name for name in had if name not in os.environ and not name.startswith(OWN))
    try:
        folder = str(Path.cwd())
    except FileNotFoundError:  # it was removed
        folder = ""
    return {
        "machine": machine(),
        "folder": folder,
        "environ": changed,
        "removed": removed,
        "path": list(sys.path),
    }


def handed_on() -> dict[str, str]:
    """The variables of this process, for a cluster that it starts."""
    _handed.update(os.environ)
    return dict(os.environ)


def move_in(other: Surroundings) -> bool:
    """Give this process the surroundings of another one, as far as they can be had here; whether its folder can."""
    os.environ.update(other["environ"])
    for name in removed_here(other):
        del os.environ[name]
    sys.path += paths_of(other["machine"], other["path"])
    if other["machine"] != machine():
        return False
    try:
        os.chdir(other["folder"])
    except OSError:  # it was removed
        return False
    return True


def removed_here(other: Surroundings) -> list[str]:
    """The variables of this process that another one has removed. What this one is given by its cluster stays, and on
    another machine all of its variables are its own."""
    if other["machine"] != machine():
        return []
    own = {*NATIVE, *os.environ.get(GIVEN, "").split()}
    removed = other.get("removed", [])  # a kernel with an earlier version doesn't tell
    return [name for name in removed if name in os.environ and name not in own]


def paths_of(of_machine: str, path: Sequence[str]) -> list[str]:
    """What another process of that machine imports from, and this one doesn't, as far as it can be had here."""
    if of_machine != machine():
        return []
    return [each for each in path if each not in sys.path and not _is_of_python(each)]


def for_imports(other: Surroundings | None) -> Changes:
    """What another process has changed in its variables that modules may look at when they are imported; nothing, when
    it isn't known. What the system and Python itself look at when a process begins was changed too late there, too. And
    tests of a project share what was imported."""
    if other is None:
        return {}
    changes: Changes = {**other["environ"], **dict.fromkeys(removed_here(other))}
    return {name: value for name, value in changes.items() if not name.startswith(("PYTHON", "LD_", "DYLD_", TEST))}


def _is_of_python(path: str) -> bool:
    """Whether packages are installed there: another Python's are not for this one."""
    return "site-packages" in path or "dist-packages" in path or path.endswith(".zip") or "/lib/python" in path


def _environ_at_start() -> dict[str, str]:
    try:
        data = Path("/proc/self/environ").read_bytes()
    except OSError:
        return _FIRST
    pairs = (os.fsdecode(pair).partition("=") for pair in data.split(b"\0") if pair)
    return {name: value for name, _, value in pairs}
