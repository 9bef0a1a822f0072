"""What a version needs to be loaded: Python, packages with their exact versions, modules that lie beside the notebook.

Also what is told of the packages: licences, and the bill of materials (SBOM) in CycloneDX's format.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import platform
import sys
import sysconfig
import time
import uuid
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution
from pathlib import Path
from types import ModuleType
from typing import Any

from .._version import __version__
from ..agent.versions import distribution_of, name_and_version
from ..client.send.environment import Needed, can_be_had, needed
from ..client.send.modules import imports_in
from ..client.send.pickling import pack
from ..core.errors import NotPicklable
from ..core.model import ModelVersion

#: Folders of packages, whose code doesn't go along.
_INSTALLED = ("site-packages", "dist-packages")

#: Bytes of a licence's text from which on it is no name of one.
_MOST_NAME = 80

_OWN = __name__.partition(".")[0]


def imports_of(model: Any) -> set[str]:
    """The import names of what a model is made of, and of what its functions import when they are called."""
    try:
        packed = pack(model, {"model": model})
    except NotPicklable:  # one that its own library writes
        return {type(model).__module__.partition(".")[0]}
    lazy = {name for name in packed.lazy_imports if distribution_of(name) or can_be_had(name)}
    return {name for name in packed.packages | lazy if name and name not in sys.stdlib_module_names}


def packages_of(imports: Iterable[str]) -> dict[str, str]:
    """The distributions of these import names, with all that they need in turn: name → version here."""
    names = sorted(filter(None, map(distribution_of, filter(None, imports))))
    return {one.name: one.version for one in sorted(needed(names).values(), key=lambda one: one.name)}


def python_version() -> str:
    """This Python's version: "3.11.7"."""
    return platform.python_version()


def freeze() -> str:
    """All that is installed here, as `pip freeze` writes it."""
    found = set(map(name_and_version, importlib.metadata.distributions()))
    return "".join(f"{name}=={version}\n" for name, version in sorted(found, key=lambda each: each[0].lower()))


def differences(version: ModelVersion) -> list[str]:
    """How this environment differs from the one that a version was saved in, in words; empty where it doesn't."""
    found = []
    if version.python and version.python.split(".")[:2] != python_version().split(".")[:2]:
        found.append(f"Python {version.python}, here {python_version()}")
    for name, wanted in version.packages.items():
        try:
            here = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            here = ""
        if here != wanted:
            found.append(f"{name} {wanted}, here {here or 'it is missing'}")
    return found


# Modules beside the notebook.


def modules_beside(imports: Iterable[str]) -> dict[str, str]:
    """The loaded modules of these import names that are not installed, with those that they import in turn: path below
    a folder of code → text."""
    found: dict[str, str] = {}
    todo = [name for top in imports for name in _loaded(top)]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        module = sys.modules.get(name)
        if name in seen or module is None or not is_beside(module):
            continue
        seen.add(name)
        try:
            text = inspect.getsource(module)
        except (OSError, TypeError):  # an empty __init__.py, or one without a text
            text = ""
        found[_path_of(name, module)] = text
        todo += _imported(name, module, text)
    return found


def is_beside(module: ModuleType) -> bool:
    """Whether a module is the user's own: a text that is installed nowhere, or of a project that is installed as
    editable. What is installed may lie anywhere, and some libraries make up modules with a file that isn't there."""
    path, top = getattr(module, "__file__", None) or "", module.__name__.partition(".")[0]
    if not path.endswith(".py") or not Path(path).is_absolute() or top in (_OWN, "jupyter_mlops_agent", "__main__"):
        return False
    if set(_INSTALLED) & set(Path(path).parts) or path.startswith(sysconfig.get_paths()["stdlib"]):
        return False
    name = distribution_of(top)
    return not name or Needed(importlib.metadata.distribution(name)).editable


def _loaded(top: str) -> list[str]:
    return [name for name in sys.modules if name == top or name.startswith(f"{top}.")]


def _path_of(name: str, module: ModuleType) -> str:
    base = name.replace(".", "/")
    return f"{base}/__init__.py" if hasattr(module, "__path__") else f"{base}.py"


def _imported(name: str, module: ModuleType, text: str) -> list[str]:
    parts = name.split(".")
    package = name if hasattr(module, "__path__") else name.rpartition(".")[0]
    return [*(".".join(parts[:length]) for length in range(1, len(parts))), *imports_in(text, package)]


# Licences and the bill of materials.


def licence_of(distribution: Distribution) -> str:
    """A distribution's licence, as its metadata name it: an SPDX expression where there is one; empty where none is."""
    about: Any = distribution.metadata
    if expression := about.get("License-Expression"):
        return str(expression)
    told = [line for line in about.get_all("Classifier") or [] if line.startswith("License ::")]
    names = [line.rpartition("::")[2].strip() for line in told]
    names = [name for name in names if name != "OSI Approved"]
    if names:
        return " AND ".join(sorted(names))
    text = str(about.get("License") or "").strip()
    return text if 0 < len(text) <= _MOST_NAME and "\n" not in text and text != "UNKNOWN" else ""


def licences(packages: Mapping[str, str]) -> dict[str, str]:
    """Package → its licence, of those that are installed here in that very version; empty for the others."""
    found = {}
    for name, version in packages.items():
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = ""
            continue
        found[name] = licence_of(distribution) if distribution.version == version else ""
    return found


def sbom(model: str, number: str, packages: Mapping[str, str]) -> str:
    """The bill of materials of a version: CycloneDX 1.5, JSON (https://cyclonedx.org/docs/1.5/json/).

    Parameters
    ----------
    number : the version's.
    packages : name → version.
    """
    known = licences(packages)
    components = []
    for name, version in packages.items():
        purl = f"pkg:pypi/{name}@{version}"
        component: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
        if known[name]:
            component["licenses"] = [{"license": {"name": known[name]}}]
        components.append(component)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "tools": {"components": [{"type": "application", "name": "jupyter-mlops", "version": __version__}]},
            "component": {"type": "machine-learning-model", "name": model, "version": number},
        },
        "components": components,
    }
    return json.dumps(document, indent=1)
