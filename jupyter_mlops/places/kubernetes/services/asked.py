"""Asks each pod of a service what it has counted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ....core.alert import ServiceWatch
from ....core.base import Seconds, read_record
from ....core.errors import MlopsError, Unavailable, Unreadable
from .. import names
from ..api.client import Api, Json
from ..tunnel.port_forward import Tunnel
from ..why.facts import is_ready

#: Seconds that a pod has to tell.
_PATIENCE: Seconds = 20.0


async def watches(api: Api, pods: Sequence[Json], token: str) -> list[ServiceWatch]:
    """What each pod that answers has counted, as its owner is told. One that goes meanwhile is left out.

    Raises
    ------
    Unavailable : none tells.
    """
    ready = [str(pod["metadata"]["name"]) for pod in pods if is_ready(pod)]
    told = await asyncio.gather(*(_watch(api, pod, token) for pod in ready), return_exceptions=True)
    heard = [each for each in told if isinstance(each, ServiceWatch)]
    if ready and not heard:
        fault = next(each for each in told if isinstance(each, BaseException))
        if not isinstance(fault, MlopsError):
            raise fault
        raise Unavailable("No pod of the service tells what it was asked", str(fault), "Try again.")
    return heard


async def _watch(api: Api, pod: str, token: str) -> ServiceWatch:
    import aiohttp

    async def find() -> str:
        return pod

    tunnel = Tunnel(api, find, names.SERVICE_PORT)
    port = await tunnel.open()
    try:
        timeout = aiohttp.ClientTimeout(total=_PATIENCE)
        headers = {"Authorization": f"Bearer {token}"}
        where = f"http://127.0.0.1:{port}/watch"
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(where, headers=headers) as answer:
            body = await answer.read()
            if answer.status != 200:
                raise Unavailable(f"{pod} doesn't tell what it was asked", f"it answered {answer.status}", "")
            return read_record(ServiceWatch, body, f"answer of {pod}")
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError, Unreadable) as error:
        raise Unavailable(f"{pod} doesn't tell what it was asked", str(error) or type(error).__name__, "") from error
    finally:
        await tunnel.close()
