"""An object of a service is made where something of its name may be there already."""

from __future__ import annotations

import asyncio

from .. import names
from ..api.client import Answer, Api, Json, delete
from .record import TRIES
from .stopping import LOOK


async def post(api: Api, kind: str, group: str, body: Json) -> bool:
    """Make an object; whether it wasn't there. One that an earlier Deployment owned is about to go: it is made anew."""
    for attempt in range(TRIES):
        try:
            await api.request("POST", api.path(kind, group=group), body, parse=False)
            return True
        except Answer as answer:
            if answer.status != 409 or attempt == TRIES - 1:
                raise
        name = body["metadata"]["name"]
        query = {"fieldSelector": f"metadata.name={name}"}
        there = (await api.request("GET", api.path(kind, group=group), query=query)).get("items") or []
        if there and _owners(there[0]) == _owners(body):
            return False
        if there and names.SERVICE not in (there[0]["metadata"].get("labels") or {}):
            raise Answer(409, {"message": f"{name!r} is somebody else's"})
        await delete(api, api.path(kind, name, group=group))
        await asyncio.sleep(LOOK)
    raise AssertionError


def _owners(item: Json) -> list[str]:
    return [str(owner["uid"]) for owner in item["metadata"].get("ownerReferences") or []]
