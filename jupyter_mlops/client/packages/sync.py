"""Brings packages of this kernel to the workers of a cluster that lack them, to those that join later, and to its
scheduler, which unpickles Dask's graphs."""

from __future__ import annotations

from typing import Any

from ...agent.versions import distribution_of
from ...core.errors import VersionMismatch
from ..clusters.session import Session
from ..send.environment import RUNTIME, Needed, canonical, needed
from .bundle import pack
from .compare import Difference, compare, told, versions_there

#: Clusters to which this kernel brings what they lack, without being asked each time.
_kept_alike: set[str] = set()


def keep_alike(cluster: str) -> None:
    """From now on bring `cluster` what it lacks."""
    _kept_alike.add(cluster)


async def agree(session: Session, packages: set[str], inner: set[str], sync: bool) -> str:
    """Compare the versions here and there; with `sync`, bring the workers what they lack. Returns one sentence on what
    differs still, or nothing.

    Parameters
    ----------
    packages : import names of what the code needs.
    inner : of what it needs perhaps; that it is missing is no fault.

    Raises
    ------
    VersionMismatch : they differ in a way that breaks runs, and can't be made alike.
    """
    if sync:
        keep_alike(session.name)
    if session.name not in _kept_alike:
        return told(await compare(session, packages), session.name)
    found = await compare(session, packages | inner)
    todo = [each for each in found if not each.fixed]
    if not todo:
        return told(found, session.name)
    brought = await bring(session, todo)
    session.compared.clear()
    note = told(await compare(session, packages), session.name)
    return f"Brought to the workers: {', '.join(brought)}. {note}".rstrip()


async def bring(session: Session, found: list[Difference]) -> list[str]:
    """Bring the packages that differ, with what they need in turn and isn't there. Returns them as "name version".

    Raises
    ------
    VersionMismatch : says why one can't be brought.
    """
    wanted = await _wanted(session, found)
    scheduler: Any = session.client.scheduler
    workers = list((await session.client.nthreads()) or {})[:1]
    platforms = await scheduler.broadcast(msg={"op": "mlops_platform"}, workers=workers) if workers else {}
    there = next(iter(platforms.values())) if platforms else await scheduler.mlops_platform()
    bundle = pack(wanted, there)
    name = f"mlops-packages-{bundle['digest']}"
    answers = await scheduler.register_worker_plugin(plugin=for_workers(bundle), name=name, idempotent=False)
    failed = [answer for answer in answers.values() if answer.get("status") == "error"]
    if failed:
        await scheduler.unregister_worker_plugin(name=name)
        raise VersionMismatch(
            f"{', '.join(one.name for one in wanted)} can't be brought to the workers of {session.name!r}",
            _words(failed[0]),
            "Use an image that has it: `jupyter mlops image` writes its Dockerfile.",
        )
    await scheduler.register_scheduler_plugin(plugin=for_scheduler(bundle), name=name, idempotent=True)
    return [f"{one.name} {one.version}" for one in wanted]


def _words(answer: dict[str, Any]) -> str:
    """What a worker raised, without the class; the exception itself may be of one that only workers have."""
    text = str(answer.get("exception_text") or answer["exception"])
    return text.partition("(")[2].removesuffix(")").strip("'\"") or text


async def _wanted(session: Session, found: list[Difference]) -> list[Needed]:
    names = {each.package: distribution_of(each.package) for each in found}
    unknown = [each for each in found if not names[each.package]]
    if unknown:
        raise VersionMismatch(
            f"{unknown[0].name} can't be brought to the workers of {session.name!r}",
            "this kernel has it, but not as an installed package",
            "Put it beside the notebook: modules there travel with the code.",
        )
    every = needed(names.values())
    there = await versions_there(session, every)
    asked = set(map(canonical, names.values()))
    return [
        one
        for name, one in every.items()
        if name not in RUNTIME and (name in asked or not there[name] or not one.accepts(there[name]))
    ]


def for_workers(bundle: dict[str, Any]) -> bytes:
    """The pickled worker plugin that brings `bundle`."""
    from distributed import WorkerPlugin
    from distributed.protocol.pickle import dumps

    class Bring(WorkerPlugin):
        """Runs in each worker when it joins, before it gets tasks."""

        def __init__(self) -> None:
            self.bundle = bundle

        async def setup(self, worker: Any) -> None:
            """Called by Dask."""
            import asyncio
            import sys
            from pathlib import Path

            packages: Any = sys.modules["jupyter_mlops_agent.packages"]
            try:
                await asyncio.to_thread(packages.bring, self.bundle, Path(worker.local_directory))
            except packages.CantBring as error:  # a class that the kernel doesn't have
                raise RuntimeError(str(error)) from None

    _by_value(Bring)
    return bytes(dumps(Bring()))


def for_scheduler(bundle: dict[str, Any]) -> bytes:
    """The pickled scheduler plugin that adds `bundle`, and replaces nothing."""
    from distributed import SchedulerPlugin
    from distributed.protocol.pickle import dumps

    class Bring(SchedulerPlugin):
        """Runs in the scheduler, which has this package."""

        def __init__(self) -> None:
            self.bundle = bundle

        async def start(self, scheduler: Any) -> None:
            """Called by Dask."""
            import asyncio
            import logging
            import tempfile
            from pathlib import Path

            try:
                from jupyter_mlops.agent.packages import CantBring, bring
            except ImportError:  # a scheduler that others made; runs don't need it there
                return
            try:
                await asyncio.to_thread(bring, self.bundle, Path(tempfile.gettempdir()), first=False)
            except CantBring as error:
                logging.getLogger("distributed.scheduler.mlops").warning("The scheduler lacks packages: %s", error)

    _by_value(Bring)
    return bytes(dumps(Bring()))


def _by_value(cls: type) -> None:
    """Let `cls` travel with its code: there may be no copy of this package."""
    for method in (value for value in vars(cls).values() if hasattr(value, "__qualname__")):
        method.__module__ = "__main__"
    cls.__module__, cls.__qualname__ = "__main__", cls.__name__
