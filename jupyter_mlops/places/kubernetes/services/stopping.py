"""A service is stopped: its pods end, its objects go, and its record gets a receipt."""

from __future__ import annotations

import contextlib
import time

from ....core.base import Seconds
from ....core.errors import Unreadable
from .. import names
from ..api.client import Answer, Api, delete
from ..records.record import APPS
from .objects import BEFORE, RECEIPT
from .record import TRIES, look, store
from .stored import StoredService
from .trial import BOARD

#: Seconds between two looks at whether something has happened.
LOOK: Seconds = 0.5


async def close(api: Api, left: StoredService) -> None:
    """Write the receipt of what has been stopped, unless somebody wants it again."""
    ended: StoredService | None = left
    for attempt in range(TRIES):
        if ended is None or ended.deployment is not None:
            return
        try:
            with contextlib.suppress(Unreadable):  # nobody knows what it cost then, and it is gone all the same
                receipt = ended.ended(time.time()).model_dump_json()
                await store(api, left.ids, {RECEIPT: receipt, BEFORE: ""}, ended.version)
            return
        except Answer as answer:  # a caller was let in, for example
            if answer.status != 409 or attempt == TRIES - 1:
                raise
        ended = await look(api, left.ids)


async def is_there(api: Api, entry: StoredService) -> bool:
    """Whether there is anything of a service but its record."""
    if entry.deployment is not None or entry.pods:
        return True
    for kind, selector in (("services", ""), ("secrets", f",{names.PART} in (build,{BOARD})")):
        query = {"labelSelector": f"{entry.ids.selector}{selector}"}
        if (await api.request("GET", api.path(kind), query=query)).get("items"):
            return True
    return False


async def delete_record(api: Api, found: StoredService) -> None:
    """Remove the record that was found, unless somebody has changed it since."""
    unchanged = {"resourceVersion": found.version}
    await delete(api, api.path("secrets", found.ids.whole), {"preconditions": unchanged} if found.version else None)


async def delete_deployment(api: Api, found: StoredService, how: str) -> None:
    """Remove the Deployment that was found, and no other one of its name."""
    if found.deployment is not None:
        path = api.path("deployments", found.ids.whole, group=APPS)
        its = {"uid": found.deployment["metadata"]["uid"]}
        await delete(api, path, {"propagationPolicy": how, "preconditions": its})
