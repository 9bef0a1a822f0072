"""Compares the versions of the kernel and of the workers before a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..controller.agent.versions import NAMES, versions_of
from ..core.errors import VersionMismatch
from .session import Session

#: Workers that are asked; all are made from one environment.
ASKED = 3

#: What must agree in its first two numbers, since the kernel and the workers speak to each other with it.
_CLOSE = ("python", "dask", "distributed")


async def compare(session: Session, packages: set[str]) -> list[str]:
    """Sentences on versions that differ and may matter.

    Raises
    ------
    VersionMismatch : they differ in a way that breaks runs.
    """
    asked = frozenset(packages)
    if asked in session.compared:
        return session.compared[asked]
    workers = list((await session.client.nthreads()) or {})[:ASKED]
    if not workers:
        return []
    message = {"op": "mlops_versions", "packages": sorted(packages)}
    scheduler: Any = session.client.scheduler
    answers = await scheduler.broadcast(msg=message, workers=workers)
    own = versions_of(sorted(packages))
    notes: list[str] = []
    for worker in answers.values():
        notes = differences(own, worker, session.name)
    session.compared[asked] = notes
    return notes


def differences(own: Mapping[str, str], worker: Mapping[str, str], cluster: str) -> list[str]:
    """What differs between the versions here and those of a worker.

    Raises
    ------
    VersionMismatch : as `compare`.
    """
    notes = []
    for package, here in own.items():
        there = worker.get(package, "")
        if here == there or "?" in (here, there) or not here:
            continue
        name = NAMES.get(package, package)
        if not there:
            raise VersionMismatch(
                f"{name} is not installed on the workers of {cluster!r}",
                f"this kernel has {here}, and the code uses it",
                "Start a cluster from this environment, or install it there.",
            )
        if _breaks(package, here, there):
            raise VersionMismatch(
                f"{_title(name)} differs between this kernel and the workers of {cluster!r}",
                f"{here} here, {there} there",
                "Start a new cluster from this environment, or use the kernel that the cluster was started from.",
            )
        notes.append(f"{name} is {here} here and {there} on the workers")
    return notes


def _breaks(package: str, here: str, there: str) -> bool:
    numbers = 2 if package in _CLOSE else 1
    return here.split(".")[:numbers] != there.split(".")[:numbers]


def _title(name: str) -> str:
    return "Python" if name == "python" else name
