"""What is done to services stands in the trail of their model, whoever does it: notebook, command line or sidebar."""

from __future__ import annotations

import asyncio
import time
import warnings
from typing import Any

from ..core.errors import MlopsError
from ..core.trail import Actor, TrailEntry
from ..home.acting import here
from ..home.models import model_folder


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
            told: dict[str, Any] = {"verb": verb, "object": what, "service": service, **more}
            return TrailEntry(seq=seq, time=time.time(), actor=who, previous=previous, **told)

        if folder.numbers():
            with folder.locked():
                folder.add_to_trail(entry)

    try:
        await asyncio.to_thread(write)
    except (MlopsError, OSError) as error:
        warnings.warn(f"The trail of {model} lacks what was done to {service} ({verb}): {error}", stacklevel=2)
