"""Which versions of Python and libraries a process has. Runs in the kernel and in the workers, to be compared."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import inspect
import re
import sys
from collections.abc import Sequence
from importlib.metadata import Distribution
from pathlib import Path

#: Distributions whose name isn't that of their package.
NAMES = {
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "yaml": "PyYAML",
    "cv2": "opencv-python",
    "skimage": "scikit-image",
    "bs4": "beautifulsoup4",
    "dateutil": "python-dateutil",
}

_NAME = re.compile(r"^Name:[ \t]*(\S+)", re.MULTILINE)
_VERSION = re.compile(r"^Version:[ \t]*(\S+)", re.MULTILINE)


def forget() -> None:
    """Others may have come."""
    _version.cache_clear()
    distributions.cache_clear()


@functools.lru_cache(maxsize=1)
def distributions() -> dict[str, list[str]]:
    """Import name → distributions that bring it, for all that is installed. Reads many files.

    As `importlib.metadata.packages_distributions`, which makes an object of each file that is installed, and asks the
    disk for each where Dask has the backport imported: 0.4 s of CPU in each kernel that runs something.
    """
    found: dict[str, list[str]] = {}
    for each in importlib.metadata.distributions():
        packages = _packages_in(each)
        name = name_and_version(each)[0] if packages else ""
        for package in packages:
            found.setdefault(package, []).append(name)
    return found


def name_and_version(distribution: Distribution) -> tuple[str, str]:
    """Of a distribution, without a look at all the rest that its metadata say."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    name, version = _NAME.search(text), _VERSION.search(text)
    if name is None or version is None:
        return str(distribution.metadata["Name"]), str(distribution.metadata["Version"])
    return name[1], version[1]


def _packages_in(distribution: Distribution) -> set[str]:
    """The import names that a distribution brings: those it declares, or those of its modules."""
    if declared := (distribution.read_text("top_level.txt") or "").split():
        return set(declared)
    record, found = distribution.read_text("RECORD"), set[str]()
    for line in map(str, distribution.files or []) if record is None else record.splitlines():
        top, below, rest = line.partition(",")[0].partition("/")
        if top not in found and (module := inspect.getmodulename(rest or top)):
            found.add(top if below else module)
    return {each for each in found if each.isidentifier() and each != "__pycache__"}


def distribution_of(package: str) -> str:
    """The name of the distribution that brings the import name `package`; empty when none does."""
    if package in sys.stdlib_module_names:
        return ""
    name = NAMES.get(package, package)
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return next(iter(distributions().get(package, [])), "")
    return name


def versions_of(packages: list[str], elsewhere: Sequence[str] = ()) -> dict[str, str]:
    """The versions of Python, what a run needs, and the import names `packages`; "" for one that isn't installed and
    "?" for one that doesn't say. `elsewhere` are folders that are imported from after those of this process."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in ["dask", "distributed", "cloudpickle", *packages]:
        found.setdefault(package, _version(package) or _version_in(elsewhere, package))
    return found


def home_of(package: str) -> Path | None:
    """The folder into which pip has put the distribution that brings the import name `package`; None where none did: a
    project that was installed as editable stays where it is."""
    name = distribution_of(package)
    found = importlib.metadata.distribution(name) if name else None
    return Path(str(found.locate_file(""))) if found is not None and found.read_text("WHEEL") else None


def _version_in(folders: Sequence[str], package: str) -> str:
    if not folders:
        return ""
    name = NAMES.get(package, package)
    found = importlib.metadata.distributions(name=name, path=list(folders))
    return next((each.version for each in found), "")


@functools.lru_cache(maxsize=1000)
def _version(package: str) -> str:
    distribution = distribution_of(package)
    if distribution:
        return importlib.metadata.version(distribution)
    module = sys.modules.get(package)
    try:
        if module is None and importlib.util.find_spec(package) is None:
            return ""
    except (ValueError, ImportError):
        return "?"
    return str(getattr(module, "__version__", "?"))
