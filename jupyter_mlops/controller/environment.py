"""The scheduler's own packages and platform, which are those of workers that are still to come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..agent.packages import platform_of
from ..agent.surroundings import paths_of
from ..agent.versions import versions_of

if TYPE_CHECKING:
    from distributed import Scheduler


async def mlops_versions(packages: list[str], machine: str = "", path: Sequence[str] = ()) -> dict[str, str]:
    """As workers answer; files are read for it."""
    return await asyncio.to_thread(versions_of, packages, paths_of(machine, path))


def mlops_platform() -> dict[str, str]:
    """As workers answer."""
    return platform_of()


def install(scheduler: Scheduler) -> None:
    """Answer kernels that compare themselves."""
    scheduler.handlers.update({handler.__name__: handler for handler in (mlops_versions, mlops_platform)})
