"""What differs between the packages of the kernel and those of the workers, and what that means for a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...agent.versions import NAMES
from ...core.errors import VersionMismatch
from ...core.words import listed

#: What must agree in its first two numbers, since the kernel and the workers speak to each other with it.
_CLOSE = ("python", "dask", "distributed")

#: What the processes themselves are made of: it can't be brought to them.
_FIXED = (*_CLOSE, "cloudpickle")

#: What to do about those.
_ANOTHER = (
    "Start a new cluster from this environment (`jupyter mlops image` writes a Dockerfile that has it), or use the "
    "kernel that the cluster was started from."
)


@dataclass(frozen=True)
class Difference:
    """A package, by its import name, in another version here than on the workers; "" where it isn't installed."""

    package: str
    here: str
    there: str

    @property
    def name(self) -> str:
        """What people call it."""
        return "Python" if self.package == "python" else NAMES.get(self.package, self.package)

    @property
    def missing(self) -> bool:
        """Whether the workers lack it."""
        return not self.there

    @property
    def breaks(self) -> bool:
        """Whether runs can't work."""
        numbers = 2 if self.package in _CLOSE else 1
        return self.missing or self.here.split(".")[:numbers] != self.there.split(".")[:numbers]

    @property
    def fixed(self) -> bool:
        """Whether it can't be brought to the workers."""
        return self.package in _FIXED


def differences(own: Mapping[str, str], there: Mapping[str, str]) -> list[Difference]:
    """What differs between the versions here and there, and may matter."""
    found = [Difference(package, here, there[package]) for package, here in own.items() if package in there]
    return [
        each
        for each in found
        if each.here != each.there and each.here and (each.missing or "?" not in (each.here, each.there))
    ]


def describe_or_refuse(found: list[Difference], cluster: str) -> str:
    """One sentence on differences that may matter; empty when there are none.

    Raises
    ------
    VersionMismatch : they break runs.
    """
    breaking = [each for each in found if each.breaks]
    if fixed := [each for each in breaking if each.fixed]:
        raise VersionMismatch(
            _differ(fixed, cluster),
            "; ".join(f"{each.here} here, {each.there or 'none'} there" for each in fixed),
            _ANOTHER,
        )
    if missing := [each for each in breaking if each.missing]:
        are = "is" if len(missing) == 1 else "are"
        versions = ", ".join(f"{each.name} {each.here}".removesuffix(" ?") for each in missing)
        raise VersionMismatch(
            f"{_names(missing)} {are} not installed on the workers of {cluster!r}",
            f"this kernel has {versions}, and the code uses it",
            "Bring it there with --sync (sync=True), or start a cluster from this environment.",
        )
    if breaking:
        raise VersionMismatch(
            _differ(breaking, cluster),
            "; ".join(f"{each.here} here, {each.there} there" for each in breaking),
            "Bring yours there with --sync (sync=True), or start a cluster from this environment.",
        )
    if not found:
        return ""
    versions = ", ".join(f"{each.name} is {each.here} here and {each.there} on the workers" for each in found)
    hint = "" if all(each.fixed for each in found) else " Yours are brought there with --sync."
    return f"{versions}.{hint}"


def _differ(found: list[Difference], cluster: str) -> str:
    verb = "differs" if len(found) == 1 else "differ"
    return f"{_names(found)} {verb} between this kernel and the workers of {cluster!r}"


def _names(found: list[Difference]) -> str:
    return listed([each.name for each in found])
