"""Models as browsers see them. Nothing is unpickled in the server: gates are judged by a process of their own."""

from __future__ import annotations

import asyncio
from logging import Logger
from pathlib import Path
from typing import Any

from ...core.base import Seconds, read_request
from ...core.errors import Unavailable
from ...core.gate import GateRules, Verdict
from ...core.model import Finding, ModelState
from ...core.promotion import ModelSummary, ModelView, Promotion, PromotionAnswer, PromotionAsked
from ...core.trail import Actor, TrailEntry
from ...home.models import model_folders, versions_of_run
from ...home.owner import me
from ...home.process import answer_of
from ...registry.find import find_model, find_version
from ...registry.notebook import copy_name, copy_of
from ..stream.hub import Hub
from ..stream.looker import Looker

#: Seconds that gates may take.
_PATIENCE: Seconds = 300.0

#: Between two looks at whether a model has changed, while there is a browser.
_LOOK: Seconds = 2.0

#: Entries of a trail that are sent, and versions whose verdicts are.
_TRAIL, _VERDICTS = 100, 50


class ModelManager:
    """The door to the home folder's models, off the event loop; tells browsers of them.

    Notebooks, runs and the command line write models, too: the folders are looked at while there is a browser.
    """

    def __init__(self, hub: Hub, log: Logger) -> None:
        self._hub = hub
        self._known: dict[str, tuple[tuple[int, ...], ModelSummary]] = {}
        self._told = False
        self._looking = asyncio.Lock()
        self._looker = Looker(hub, log, "models", _LOOK, self.publish)

    def start(self) -> None:
        """Begin to look."""
        self._looker.start()

    async def close(self) -> None:
        """Stop looking."""
        await self._looker.close()

    async def publish(self) -> None:
        """Tell browsers of the models as they are now."""
        async with self._looking:
            before, self._known = self._known, await asyncio.to_thread(_summaries, self._known)
        if self._told and before == self._known:  # hundreds of them aren't turned into text each time
            return
        self._told = True
        # One without a version is being saved for the first time, or all of them were removed.
        self._hub.put("models", "", [summary for _, summary in self._known.values() if summary.versions])

    async def states(self) -> list[ModelState]:
        """All, by name."""
        return await asyncio.to_thread(lambda: [folder.state() for folder in model_folders()])

    async def view(self, name: str) -> ModelView:
        """One with all that is told of it; raises `UnknownModel`, `Unreadable`."""
        return await asyncio.to_thread(_view, name)

    async def card(self, name: str, number: str) -> str:
        """A version's card; raises `UnknownModel`, `UnknownVersion`."""

        def read() -> str:
            folder = find_model(name)
            return folder.version(find_version(folder, number).number).card()

        return await asyncio.to_thread(read)

    async def notebook(self, name: str, number: str, root: str) -> dict[str, Any]:
        """A copy of the notebook that a version was saved from, what it may be called, and the folder below `root`
        that the notebook was in, empty where it was elsewhere; raises `UnknownModel`, `UnknownVersion`, `NotFound`."""

        def read() -> dict[str, Any]:
            folder = find_model(name)
            version = find_version(folder, number)
            book = copy_of(folder.version(version.number), version)
            beside, top = Path(version.made.notebook).parent, Path(root).expanduser().absolute()
            inside = beside.is_relative_to(top) and beside.is_dir()
            where = beside.relative_to(top).as_posix() if inside else ""
            return {"name": copy_name(version), "folder": "" if where == "." else where, "notebook": book}

        return await asyncio.to_thread(read)

    async def of_run(self, run: str) -> list[str]:
        """The versions that a run made, by name."""
        return [version.name for version in await asyncio.to_thread(versions_of_run, run)]

    async def verify(self, name: str, number: str) -> list[Finding]:
        """Whether a version is as it was saved; nothing is loaded. Raises `UnknownModel`, `UnknownVersion`."""

        def look() -> list[Finding]:
            from ...registry.load import verify  # numpy: not at the server's start

            folder = find_model(name)
            return verify(folder, find_version(folder, number))

        return await asyncio.to_thread(look)

    def read_promotion(self, body: dict[str, Any]) -> Promotion:
        """What was asked for; raises `InvalidSpec`."""
        return read_request(Promotion, body, "promotion")

    async def promote(self, name: str, asked: Promotion, user: str) -> Verdict:
        """Promote a version for `user` (empty: who owns this server), and wait until its gates have judged.

        Raises
        ------
        GatesFailed, Conflict, ModelChanged, UnknownModel, UnknownVersion, Unavailable
        """
        folder = await asyncio.to_thread(find_model, name)
        actor = Actor(name=user or me(), how="sidebar")
        work = PromotionAsked(model=folder.name, promotion=asked, actor=actor)
        what = f"{name} isn't promoted"
        try:
            answer = await answer_of("jupyter_mlops.registry.worker", work, PromotionAnswer, what, _PATIENCE)
        finally:
            await self.publish()
        if answer.verdict is None:
            raise Unavailable(what, "the process that judges it gave no verdict", "Try it in a notebook.")
        return answer.verdict


def _summaries(
    known: dict[str, tuple[tuple[int, ...], ModelSummary]],
) -> dict[str, tuple[tuple[int, ...], ModelSummary]]:
    """All models in a line; those are read again that have changed."""
    found = {}
    for folder in model_folders():
        stamp = folder.stamp()
        before = known.get(folder.name)
        same = before is not None and before[0] == stamp
        found[folder.name] = before if before and same else (stamp, folder.summary())
    return found


def _view(name: str) -> ModelView:
    folder = find_model(name)
    verdicts = []
    for number in folder.numbers()[-_VERDICTS:]:
        verdict = folder.version(number).verdict()
        verdicts += [verdict] if verdict is not None else []
    trail: list[TrailEntry] = folder.trail()[-_TRAIL:]
    rules: GateRules = folder.rules()
    return ModelView(model=folder.state(), gates=rules, verdicts=verdicts, trail=trail)
