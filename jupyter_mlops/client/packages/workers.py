"""The packages that the workers of a cluster have, and those of this kernel that are brought to them.

What is brought goes to the workers of now, to those that join later, and to the scheduler, which unpickles graphs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ...agent import surroundings
from ...agent.versions import distribution_of, versions_of
from ...core.errors import VersionMismatch
from ..send.environment import RUNTIME, Needed, canonical, needed
from ..send.modules import lies_elsewhere
from .bundle import pack
from .compare import Difference, describe_or_refuse, differences
from .plugins import for_scheduler, for_workers

if TYPE_CHECKING:
    from distributed import Client

#: Workers that are asked; all are made from one environment.
ASKED = 3


class WorkerPackages:
    """What the workers of one cluster have installed, as far as they were asked.

    Parameters
    ----------
    cluster : its name, for messages.
    client : connected to it, and asynchronous.
    """

    def __init__(self, cluster: str, client: Client) -> None:
        self._cluster, self._client = cluster, client
        #: The scheduler, by Dask's id, with whose workers packages were compared; and what differed in which of them.
        self._compared_with = ""
        self._compared: dict[frozenset[str], list[Difference]] = {}

    async def prepare(self, packages: set[str], lazy_imports: set[str], sync: bool) -> str:
        """Have what a run needs on the workers. Returns one sentence on what was brought or differs still, or nothing.

        Parameters
        ----------
        packages : import names of what the code needs.
        lazy_imports : of what it needs perhaps; that it is missing is no fault.
        sync : bring the workers what they lack; otherwise they are only compared.

        Raises
        ------
        VersionMismatch : they differ in a way that breaks runs, and can't be made alike.
        """
        if not sync:
            return describe_or_refuse(await self.compare(packages), self._cluster)
        found = await self.compare(packages | lazy_imports)
        lacking = [each for each in found if not each.fixed]
        if not lacking:
            return describe_or_refuse(found, self._cluster)
        brought = await self._bring(lacking)
        self._compared.clear()
        note = describe_or_refuse(await self.compare(packages), self._cluster)
        return f"Brought to the workers: {', '.join(brought)}. {note}".rstrip()

    async def compare(self, packages: set[str]) -> list[Difference]:
        """What differs between this kernel and the workers, in Python, Dask, and the import names `packages`."""
        scheduler = str(self._client.scheduler_info().get("id"))
        if self._compared_with != scheduler:  # it started again, and forgot what was brought
            self._compared_with = scheduler
            self._compared.clear()
        asked = frozenset(packages)
        if asked not in self._compared:
            self._compared[asked] = differences(versions_of(sorted(packages)), await self.versions(packages))
        return self._compared[asked]

    async def versions(self, packages: Iterable[str]) -> dict[str, str]:
        """The versions on some workers; where they don't agree, the lower one. Before there is a worker, those of the
        scheduler, which has the same image."""
        message: dict[str, Any] = {"packages": sorted(packages)}
        if any(map(lies_elsewhere, packages)):  # where the workers see it, too, their runs import it from there
            message |= {"machine": surroundings.machine(), "path": list(sys.path)}
        workers = list((await self._client.nthreads()) or {})[:ASKED]
        scheduler: Any = self._client.scheduler
        if not workers:
            return dict(await scheduler.mlops_versions(**message) or {})  # a cluster that others made may not know
        answers = await scheduler.broadcast(msg={"op": "mlops_versions", **message}, workers=workers, on_error="ignore")
        found: dict[str, str] = {}
        for answer in answers.values():
            for package, version in answer.items():
                found[package] = version if package not in found else min(found[package], version)
        return found

    async def _bring(self, lacking: list[Difference]) -> list[str]:
        """Bring the packages that differ, with what they need in turn and isn't there. Returns them as "name version".

        Raises
        ------
        VersionMismatch : says why one can't be brought.
        """
        wanted = await self._wanted(lacking)
        scheduler: Any = self._client.scheduler
        workers = list((await self._client.nthreads()) or {})[:1]
        platforms = await scheduler.broadcast(msg={"op": "mlops_platform"}, workers=workers) if workers else {}
        there = next(iter(platforms.values())) if platforms else await scheduler.mlops_platform()
        bundle = pack(wanted, there)
        name = f"mlops-packages-{bundle['digest']}"
        answers = await scheduler.register_worker_plugin(plugin=for_workers(bundle), name=name, idempotent=False)
        failed = [answer for answer in answers.values() if answer.get("status") == "error"]
        if failed:
            await scheduler.unregister_worker_plugin(name=name)
            raise VersionMismatch(
                f"{', '.join(one.name for one in wanted)} can't be brought to the workers of {self._cluster!r}",
                _words(failed[0]),
                "Use an image that has it: `jupyter mlops image` writes its Dockerfile.",
            )
        await scheduler.register_scheduler_plugin(plugin=for_scheduler(bundle), name=name, idempotent=True)
        return [f"{one.name} {one.version}" for one in wanted]

    async def _wanted(self, lacking: list[Difference]) -> list[Needed]:
        names = {each.package: distribution_of(each.package) for each in lacking}
        unknown = [each for each in lacking if not names[each.package]]
        if unknown:
            raise VersionMismatch(
                f"{unknown[0].name} can't be brought to the workers of {self._cluster!r}",
                "this kernel has it, but not as an installed package",
                "Put it beside the notebook: modules there travel with the code.",
            )
        every = needed(names.values())
        there = await self.versions(every)
        asked = set(map(canonical, names.values()))
        return [
            one
            for name, one in every.items()
            if name not in RUNTIME and (name in asked or not there[name] or not one.accepts(there[name]))
        ]


def _words(answer: dict[str, Any]) -> str:
    """What a worker raised, without the class; the exception itself may be of one that only workers have."""
    text = str(answer.get("exception_text") or answer["exception"])
    return text.partition("(")[2].removesuffix(")").strip("'\"") or text
