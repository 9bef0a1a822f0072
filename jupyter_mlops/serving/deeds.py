"""What else is done to a service that is there, by whatever door: it is done, and stands in the trail of its model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..core.errors import InvalidInput
from ..core.label import JoinedLabels
from ..core.trail import Actor
from ..core.words import count
from ..home.alarms import unfollow
from ..home.retraining import retraining_folder
from ..home.services import service_folder
from .deploy import check_caller
from .find import find_service, hosting_of
from .missed import missed_by
from .noted import note


async def stop(name: str, actor: Actor | None = None, why: str = "") -> None:
    """End a service. What was asked is answered before.

    Raises
    ------
    UnknownService, Unavailable
    """
    state = await find_service(name)
    callers = await missed_by(state.place, name)
    await hosting_of(state.place).stop(name)
    if state.phase != "stopped":
        what = state.version_name or state.model
        await note(state.model, actor, "stopped", what, name, why=why, before=callers)


async def forget(name: str, actor: Actor | None = None) -> None:
    """Remove a service that has stopped, with its callers.

    Raises
    ------
    UnknownService, Conflict
    """
    state = await find_service(name)
    await hosting_of(state.place).forget(name)
    await asyncio.to_thread(retraining_folder(service_folder(name)).forget)  # of one that lives elsewhere it is here
    await asyncio.to_thread(unfollow, name)
    await note(state.model, actor, "forgotten", state.model, name)


async def label(name: str, pairs: Sequence[tuple[str, object]]) -> JoinedLabels:
    """Join labels to what a service has answered.

    Raises
    ------
    UnknownService, Unavailable, Unreadable, StorageFull, Refused
    """
    state = await find_service(name)
    return await hosting_of(state.place).label(name, pairs)


async def forget_key(name: str, key: str, actor: Actor | None = None) -> int:
    """Remove what the requests of a key left in a service's log; how many rows that were. The trail says that it was
    done, and not for whom. Raises as `label`, and `InvalidInput`."""
    if not key or not isinstance(key, str):
        raise InvalidInput("Whose requests are to be forgotten?", "", "Give their key.")
    state = await find_service(name)
    number = await hosting_of(state.place).forget_key(name, key)
    await note(state.model, actor, "forgot a key", state.model, name, after=count(number, "row"))
    return number


async def let_in(name: str, caller: str, actor: Actor | None = None) -> str:
    """A new token for a caller.

    Raises
    ------
    UnknownService, InvalidInput, Conflict
    """
    check_caller(caller)
    state = await find_service(name)
    token = await hosting_of(state.place).let_in(name, caller)
    await note(state.model, actor, "let in", state.model, name, after=caller)
    return token


async def shut_out(name: str, caller: str, actor: Actor | None = None) -> bool:
    """Take a caller's token back; whether there was one. Raises `UnknownService`."""
    state = await find_service(name)
    was = await hosting_of(state.place).shut_out(name, caller)
    if was:
        await note(state.model, actor, "shut out", state.model, name, before=caller)
    return was
