"""What is done to services stands in the trail of their model, whoever does it: notebook, command line or sidebar."""

from __future__ import annotations

import asyncio
from typing import Any

from ..core.trail import Actor
from ..home.models import model_folder


async def note(model: str, actor: Actor | None, verb: str, what: str, service: str, **more: Any) -> None:
    """Add a line to a model's trail; nothing where the model was removed.

    Parameters
    ----------
    actor : who did it; default: the user of this process.
    what : as people name it: "churn@3".
    more : other fields of the line.

    Raises
    ------
    StorageFull, Refused, Unavailable : the trail can't be written.
    """

    def write() -> None:
        from ..registry.doors import here
        from ..registry.save import write_trail  # numpy: not at the server's start

        folder = model_folder(model)
        if folder.numbers():
            with folder.locked():
                write_trail(folder, actor or here(), verb, what, service=service, **more)

    await asyncio.to_thread(write)
