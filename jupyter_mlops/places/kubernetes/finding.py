"""Which clusters there are, in all contexts and namespaces that this user's may be in, whoever made them."""

from __future__ import annotations

import asyncio

from ...core.cluster import ClusterState, Problem
from ...core.errors import ClusterUnreachable, InvalidSpec, MlopsError, Unavailable, UnknownCluster
from ...core.waiting import wait_for
from .api.client import Answer, Unreachable
from .api.where import Where, everywhere
from .foreign.theirs import theirs
from .managed import Ours
from .placed import Known
from .records import entries
from .records.vanished import with_vanished
from .tunnel.connections import hub, kubeconfig

#: Seconds for Kubernetes to answer a list.
_LIST = 8.0

#: A place, as one kubeconfig leads to it.
_Seen = tuple[Where, str]

#: The last list of each place, to be shown as unreachable while Kubernetes doesn't answer.
_seen: dict[_Seen, list[ClusterState]] = {}
#: Places that didn't answer the last time, and who asks them again.
_silent: dict[_Seen, asyncio.Future[list[ClusterState]] | None] = {}
#: Why they didn't: a login that is refused is said otherwise than a network that is away.
_why: dict[_Seen, Problem] = {}
_SILENT = Problem(what="Kubernetes doesn't answer", todo="Check the network (VPN?); the cluster lives on.")


async def states(place: Where) -> list[ClusterState]:
    """The clusters of a place. One that didn't answer the last time is asked again beside: nobody waits for it.

    Where Kubernetes doesn't answer, what was seen there last, as unreachable.
    """
    key = (place, kubeconfig())
    if key not in _silent:
        return await _look(key)
    asking = _silent[key]
    if asking is None or asking.done():
        _silent[key] = asyncio.ensure_future(_look(key))
    return _unreachable(key)


def silence() -> Problem | None:
    """Why a place of this kubeconfig didn't answer the last time; None when all did."""
    return next((_why.get(key, _SILENT) for key in list(_silent) if key[1] == kubeconfig()), None)


async def find(name: str) -> Known:
    """The newest cluster of that name, in all places; a live one goes first.

    Raises
    ------
    UnknownCluster : no place has it; a near name is suggested.
    ClusterUnreachable : none that answers has it.
    """
    found: list[Known] = []
    unreachable: MlopsError | None = None
    for place in await asyncio.to_thread(everywhere):
        try:
            there = await _known(place)
            _seen[place, kubeconfig()] = [known.state() for known in there]
            found += there
        except Unreachable as error:
            unreachable = ClusterUnreachable(error.what, error.why, error.todo)
        except Answer as answer:
            unreachable = unreachable or answer.error
        except (Unavailable, InvalidSpec):
            continue
    named = [known for known in found if known.spec.name == name]
    if not named:
        raise unreachable or UnknownCluster.named(name, [known.spec.name for known in found])
    return max(named, key=lambda known: (known.live, known.spec.created))


async def _known(place: Where) -> list[Known]:
    api = await hub().api(*place)
    there, others = await asyncio.gather(entries.entries(api), theirs(api))
    ours = await with_vanished(api, there)
    live = {entry.spec.name for entry in ours if entry.live}
    for name in {entry.spec.name for entry in ours} - live:
        await hub().close_tunnels(api, name)  # who still waits for it waits in vain
    return [*(Ours(entry) for entry in ours), *others]


async def _look(key: _Seen) -> list[ClusterState]:
    try:
        _seen[key] = [known.state() for known in await wait_for(_known(key[0]), _LIST)]
    except (Unreachable, Answer, asyncio.TimeoutError) as error:
        refused = isinstance(error, Answer) and error.status in (401, 403)
        if not refused or _seen.get(key):
            _silent.setdefault(key, None)
            _why[key] = error.problem if refused and isinstance(error, Answer) else _SILENT
            return _unreachable(key)
        _seen[key] = []  # not ours to see; starting one there says so in words
    except (Unavailable, InvalidSpec):
        _seen[key] = []  # no Kubernetes here
    _silent.pop(key, None)
    return _seen[key]


def _unreachable(key: _Seen) -> list[ClusterState]:
    """What was seen there last."""
    problem = _why.get(key, _SILENT)
    return [
        state if state.phase == "ended" else state.model_copy(update={"phase": "unreachable", "problem": problem})
        for state in _seen.get(key, [])
    ]
