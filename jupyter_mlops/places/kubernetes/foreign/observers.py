"""One observer for each cluster of others that somebody in this process looks at. On the hub's loop only."""

from __future__ import annotations

import os

from ..api.client import Api
from .found import Found
from .observer import Observer
from .rates import Rates

_Key = tuple[object, ...]

_observers: dict[_Key, Observer] = {}
#: How many links look through each.
_users: dict[Observer, int] = {}


async def acquire(api: Api, found: Found, rates: Rates) -> Observer:
    """The observer of `found`, which has looked at least once. Each caller has to `release` it.

    Raises
    ------
    ClusterUnreachable : Kubernetes doesn't answer in time.
    """
    observer = _observers.get(_key(api, found))
    if observer is None or observer.over:
        observer = _observers[_key(api, found)] = Observer(api, found, rates)
        _users[observer] = 0
    _users[observer] += 1
    try:
        await observer.open()
    except BaseException:
        await release(observer)
        raise
    return observer


async def release(observer: Observer) -> None:
    """Somebody doesn't look any more; when nobody does, the looking ends."""
    _users[observer] -= 1
    if _users[observer]:
        return
    del _users[observer]
    for key in [key for key, other in _observers.items() if other is observer]:
        del _observers[key]
    await observer.close()


def observed(api: Api, found: Found) -> Observer | None:
    """Who looks at this cluster in this process, if anybody does."""
    return _observers.get(_key(api, found))


def _key(api: Api, found: Found) -> _Key:
    return (api.host, api.namespace, found.kind, found.object, found.created)


def _forget() -> None:
    """A forked process has none of its parent's threads, and so no hub that its observers live on."""
    _observers.clear()
    _users.clear()


os.register_at_fork(after_in_child=_forget)
