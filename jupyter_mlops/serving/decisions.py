"""Where a router's decisions about a version that is tried go: the wish on record, and the trail.

It changes the wish as people do, and does nothing where somebody has wanted something else meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from ..core.candidate import CandidateState
from ..core.errors import Unreadable
from ..core.service import ServiceSpec
from ..core.split import Move
from ..core.trail import Actor
from ..home.services import ServiceFolder
from .noted import note


class Decisions(Protocol):
    """Puts decisions on record."""

    async def make(
        self,
        seen: ServiceSpec,
        change: Callable[[ServiceSpec], ServiceSpec],
        move: Move,
        past: CandidateState | None = None,
    ) -> bool:
        """Want what `change` makes of the present wish, unless somebody wants something else already; whether it was
        done. The router makes it so, as any wish.

        Parameters
        ----------
        seen : the wish that was decided about.
        move : for the trail.
        past : what the version was that is taken back.

        Raises
        ------
        MlopsError : it can't be written.
        """

    async def close(self) -> None:
        """Nothing is decided any more. What is known of the version that is tried is whole now, and about to go."""


class FolderDecisions:
    """Those of a service whose router is the only one: its folder is the record."""

    def __init__(self, folder: ServiceFolder) -> None:
        self._folder = folder
        #: The last wish that is of its own making; it may not be so yet.
        self._own = ""

    async def make(
        self,
        seen: ServiceSpec,
        change: Callable[[ServiceSpec], ServiceSpec],
        move: Move,
        past: CandidateState | None = None,
    ) -> bool:
        """As in `Decisions`."""
        if not await asyncio.to_thread(self._change, seen, change):
            return False
        name = self._folder.name
        told = move.model_dump(include={"time", "before", "after", "why", "digest"})
        await note(seen.model, Actor(name=name, how="router"), move.verb, move.object, name, **told)
        return True

    async def close(self) -> None:
        """As in `Decisions`: what is known is in the folder."""

    def _change(self, seen: ServiceSpec, change: Callable[[ServiceSpec], ServiceSpec]) -> bool:
        with self._folder.locked(wait=False):
            try:
                now = self._folder.spec()
            except (FileNotFoundError, Unreadable):
                return False
            if now.revision not in (seen.revision, self._own) or now.candidate is None:
                return False
            spec = change(now)
            self._folder.write_spec(spec)
            self._own = spec.revision
            return True
