"""The packages of this kernel: what code needs of them, with what these need in turn."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from importlib.metadata import Distribution
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from ...agent.versions import distribution_of

#: What runs need anyway: a cluster that has others can't be reached at all, and doesn't get them from a kernel.
RUNTIME = frozenset({"dask", "distributed", "cloudpickle", "jupyter-mlops"})


@dataclass
class Needed:
    """A distribution that is installed here, and the versions of it that would do for the packages that need it."""

    distribution: Distribution
    specifiers: list[SpecifierSet] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its name, in one way of writing."""
        return canonical(str(self.distribution.metadata["Name"]))

    @property
    def version(self) -> str:
        """Its version here."""
        return str(self.distribution.version)

    @property
    def from_index(self) -> bool:
        """Whether an index can have it: it wasn't installed from a folder, a file or a repository."""
        return not self.distribution.read_text("direct_url.json")

    @property
    def editable(self) -> bool:
        """Whether its files lie in a project's folder."""
        text = self.distribution.read_text("direct_url.json") or "{}"
        return bool(json.loads(text).get("dir_info", {}).get("editable"))

    def accepts(self, version: str) -> bool:
        """Whether `version` would do as well."""
        return all(specifier.contains(version, prereleases=True) for specifier in self.specifiers)


def canonical(name: str) -> str:
    """A distribution's name in one way of writing."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(names: Iterable[str]) -> dict[str, Needed]:
    """The distributions `names` with all that they need in turn, as far as that is installed here; by their names."""
    found: dict[str, Needed] = {}
    todo: list[tuple[str, SpecifierSet | None]] = [(name, None) for name in names]
    while todo:
        name, specifier = todo.pop()
        known = found.get(canonical(name))
        if known is None:
            try:
                known = found[canonical(name)] = Needed(importlib.metadata.distribution(name))
            except importlib.metadata.PackageNotFoundError:  # for another platform, or it isn't needed here
                continue
            todo += _requirements(known.distribution)
        if specifier is not None:
            known.specifiers.append(specifier)
    return found


def _requirements(distribution: Distribution) -> list[tuple[str, SpecifierSet | None]]:
    found: list[tuple[str, SpecifierSet | None]] = []
    for text in distribution.requires or []:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # written before there was a standard
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found.append((requirement.name, requirement.specifier))
    return found


def imported() -> set[str]:
    """The import names of packages that the user of this process has imported: what its `__main__` knows."""
    space = vars(sys.modules["__main__"])
    return {name for value in list(space.values()) if (name := package_of(value)) and distribution_of(name)}


def can_be_had(package: str) -> bool:
    """Whether the import name `package` is one that can be installed or imported anew. Compiled libraries make modules
    as they are loaded, which are no package: those named _cython_3_1_2 are in every kernel that has pandas."""
    if distribution_of(package):
        return True
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError, AttributeError):  # made by hand, with nothing that says from where
        return False


def exact_list(packages: Collection[str]) -> list[str]:
    """What an index would be asked for, as name==version: the distributions of the import names `packages`, with all
    that they need in turn."""
    every = needed(filter(None, map(distribution_of, packages)))
    return sorted(f"{one.name}=={one.version}" for one in every.values() if one.from_index and one.name not in RUNTIME)


def package_of(value: Any) -> str:
    """The import name of the package that `value` comes from; empty for one that is defined in the notebook."""
    return module_of(value).partition(".")[0]


def module_of(value: Any) -> str:
    """The name of the module that `value` comes from; empty for one that is defined in the notebook."""
    if isinstance(value, ModuleType):
        module = value.__name__
    else:
        owner = value if isinstance(value, (type, FunctionType, BuiltinFunctionType)) else type(value)
        module = str(getattr(owner, "__module__", "") or "")
    return "" if module in ("builtins", "__main__") else module
