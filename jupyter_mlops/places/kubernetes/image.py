"""The recipe of an image that has exactly the packages of a Python environment."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions

from ...core.errors import InvalidInput
from ..package_index import package_index

#: By this first line a file is known as written here, and may be written again.
HEADER = "# Written by `jupyter mlops image`."

#: What the pods of a cluster need, besides this package, which is brought to them.
NEEDED = ("dask", "distributed", "cloudpickle", "pydantic", "cryptography", "kubernetes", "aiohttp", "psutil")

#: What the base image has.
_BASE = frozenset({"pip"})

#: What says in requirements where pip looks.
_OPTIONS = {
    "PIP_INDEX_URL": "--index-url",
    "PIP_EXTRA_INDEX_URL": "--extra-index-url",
    "PIP_FIND_LINKS": "--find-links",
    "PIP_TRUSTED_HOST": "--trusted-host",
}

_ASK = "import json, sys; print(json.dumps(['.'.join(map(str, sys.version_info[:3])), sys.path]))"


@dataclass(frozen=True)
class Environment:
    """A Python and what is installed in it.

    `pinned` is name → version of what an index has; `left_out` says of each other package where it came from; `index`
    has pip's settings of where it looks.
    """

    python: str
    pinned: dict[str, str]
    left_out: dict[str, str]
    index: dict[str, str]


def environment(python: str = "") -> Environment:
    """The environment of the interpreter `python`; of this process, when not given.

    Raises
    ------
    InvalidInput : that is no Python.
    """
    version, path = _asked(python) if python else (".".join(map(str, sys.version_info[:3])), sys.path)
    pinned: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for each in distributions(path=[entry for entry in path if entry]):
        name = _canonical(str(each.metadata["Name"] or ""))
        if not name or name in _BASE or name in pinned or name in left_out:
            continue  # the first on the path is the one that is imported
        origin = _origin(each)
        if origin:
            left_out[name] = origin
        else:
            pinned[name] = str(each.version)
    return Environment(
        version, dict(sorted(pinned.items())), dict(sorted(left_out.items())), package_index(python or sys.executable)
    )


def requirements(found: Environment) -> str:
    """The text of `requirements.txt`."""
    lines = [HEADER]
    if any("+" in version for version in found.pinned.values()):
        lines.append("# Versions with a + come from an index of their own: name it with --extra-index-url.")
    lines += _where(found.index)
    return "\n".join([*lines, *(f"{name}=={version}" for name, version in found.pinned.items())]) + "\n"


def _where(index: dict[str, str]) -> list[str]:
    """Lines of the requirements that have pip look where this environment's does, without logins: another index may
    have other packages of these names."""
    lines = ["# An index asks for a login: give pip a netrc file as a build secret."] if "@" in str(index) else []
    if index.get("PIP_NO_INDEX"):
        lines.append("--no-index")
    for name, option in _OPTIONS.items():
        lines += [f"{option} {_without_login(place)}" for place in index.get(name, "").split()]
    return lines


def dockerfile(found: Environment, requirements_name: str) -> str:
    """The text of the Dockerfile, which lies beside the requirements."""
    notes = [f"# Not included, since no index has it: {name}, {origin}." for name, origin in found.left_out.items()]
    lacking = [name for name in NEEDED if name not in found.pinned and name not in found.left_out]
    if lacking:
        notes.append(f"# Pods need these, too, which this environment lacks: {' '.join(lacking)}.")
    return "\n".join(
        [
            HEADER,
            "# docker build -t REGISTRY/NAME:TAG . && docker push REGISTRY/NAME:TAG; then it is a profile's `image`.",
            *notes,
            f"FROM python:{found.python}-slim",
            f"COPY {requirements_name} /tmp/requirements.txt",
            "# The list is whole: nothing is to be resolved.",
            "RUN pip install --no-cache-dir --no-deps --requirement /tmp/requirements.txt",
            "RUN useradd --uid 1000 --create-home worker",
            "USER 1000",
            "WORKDIR /home/worker",
            "",
        ]
    )


def _asked(python: str) -> tuple[str, list[str]]:
    try:
        done = subprocess.run([python, "-c", _ASK], capture_output=True, encoding="utf-8", check=True, timeout=60)
        version, path = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise InvalidInput(
            f"{python!r} is no Python that can be asked", str(error), "Name a kernel's python."
        ) from None
    return str(version), [str(entry) for entry in path]


def _origin(each: Distribution) -> str:
    """Where a package came from that no index has; empty for the others."""
    text = each.read_text("direct_url.json")
    if not text:
        return ""
    said = json.loads(text)
    if said.get("dir_info", {}).get("editable"):
        return "installed as editable (modules of such projects travel with the code that uses them)"
    return f"installed from {_without_login(str(said.get('url', 'a file')))}"


def _without_login(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
