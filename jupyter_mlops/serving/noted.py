"""What is done to services stands in the trail of their model, whoever does it: notebook, command line or sidebar."""

from __future__ import annotations

import asyncio
import time
import warnings
from typing import TYPE_CHECKING, Any

from ..core.errors import MlopsError
from ..core.trail import Actor, TrailEntry
from ..home.acting import here
from ..home.models import model_folder

if TYPE_CHECKING:
    from ..places.hosting import Hosting  # which pods of services don't have


async def note(model: str, actor: Actor | None, verb: str, what: str, service: str, **more: Any) -> None:
    """Add a line to a model's trail; nothing where the model was removed, or nobody knows which it was.

    What is noted is done already, and who asked for it is to hear how it went, as of a token that is given once. So a
    trail that can't be written is a warning, and no error.

    Parameters
    ----------
    actor : who did it; default: the user of this process.
    what : as people name it: "churn@3".
    more : other fields of the line.
    """
    if not model:
        return

    def write() -> None:
        folder, who = model_folder(model), actor or here()

        def entry(seq: int, previous: str) -> TrailEntry:
            told: dict[str, Any] = {"time": time.time(), "verb": verb, "object": what, "service": service, **more}
            return TrailEntry(seq=seq, actor=who, previous=previous, **told)

        if folder.numbers():
            with folder.locked():
                folder.add_to_trail(entry)

    try:
        await asyncio.to_thread(write)
    except (MlopsError, OSError) as error:
        warnings.warn(f"The trail of {model} lacks what was done to {service} ({verb}): {error}", stacklevel=2)


async def note_decided(hosting: Hosting) -> None:
    """Note what services have decided by themselves where there is no trail, as in pods."""
    for state, move in await hosting.decided():
        told = move.model_dump(include={"time", "before", "after", "why", "digest"})
        await note(state.model, Actor(name=state.name, how="router"), move.verb, move.object, state.name, **told)
