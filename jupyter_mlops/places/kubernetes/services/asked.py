"""Asks each pod of a service what it has counted, and what it has logged."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from ....core.alert import ServiceWatch
from ....core.base import Seconds, read_record
from ....core.callers import UsageDay
from ....core.errors import MlopsError, Unavailable
from ....core.log_questions import UsageDays
from .. import names
from ..api.client import Api, Json
from ..tunnel.port_forward import Tunnel
from ..why.facts import is_ready

#: Seconds that a pod has to tell what it counted, and what it logged, which may be a lot.
_PATIENCE, _LONG = 20.0, 120.0


class PodAsker:
    """Asks the pods of one service, as its owner.

    Parameters
    ----------
    pods : of the service. Those that aren't ready are left out.
    token : its owner's.
    """

    def __init__(self, api: Api, pods: Sequence[Json], token: str) -> None:
        self._api, self._token = api, token
        self._pods = [str(pod["metadata"]["name"]) for pod in pods if is_ready(pod)]

    @property
    def pods(self) -> list[str]:
        """The names of those that are ready."""
        return self._pods

    async def watches(self) -> list[ServiceWatch]:
        """What each pod has counted. One that goes meanwhile is left out.

        Raises
        ------
        Unavailable : none tells.
        """
        told = await self._some(*(self._ask(pod, "GET", "watch", b"", _PATIENCE) for pod in self._pods))
        return [read_record(ServiceWatch, each, "answer of a pod") for each in told]

    async def of_all_logs(self, question: str, body: bytes) -> list[bytes]:
        """What the log of each pod answers to a question of `log_door`; raises `Unavailable` where one doesn't."""
        return await asyncio.gather(*(self.of_log(pod, question, body) for pod in self._pods))

    async def usage(self) -> dict[str, list[UsageDay]]:
        """What callers asked of each pod, by the day. One that doesn't tell is left out."""
        told = await asyncio.gather(*(self.of_log(pod, "usage", b"") for pod in self._pods), return_exceptions=True)
        heard = {pod: each for pod, each in zip(self._pods, told, strict=True) if isinstance(each, bytes)}
        return {pod: read_record(UsageDays, each, "answer of a pod").days for pod, each in heard.items()}

    async def of_log(self, pod: str, question: str, body: bytes) -> bytes:
        """What the log of one pod answers; raises `Unavailable`."""
        return await self._ask(pod, "POST", f"log/{question}", body, _LONG)

    async def _some(self, *asked: Coroutine[Any, Any, bytes]) -> list[bytes]:
        told = await asyncio.gather(*asked, return_exceptions=True)
        heard = [each for each in told if isinstance(each, bytes)]
        if self._pods and not heard:
            fault = next(each for each in told if isinstance(each, BaseException))
            if not isinstance(fault, MlopsError):
                raise fault
            raise Unavailable("No pod of the service tells what it was asked", str(fault), "Try again.")
        return heard

    async def _ask(self, pod: str, method: str, path: str, body: bytes, patience: Seconds) -> bytes:
        import aiohttp

        async def find() -> str:
            return pod

        tunnel = Tunnel(self._api, find, names.SERVICE_PORT, same=True)
        port = await tunnel.open()
        what = f"{pod} doesn't tell what it was asked"
        try:
            timeout = aiohttp.ClientTimeout(total=patience)
            headers = {"Authorization": f"Bearer {self._token}"}
            where = f"http://127.0.0.1:{port}/{path}"
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
                session.request(method, where, data=body) as answer,
            ):
                told = await answer.read()
                if answer.status != 200:
                    raise Unavailable(what, f"it answered {answer.status}: {told[:500].decode(errors='replace')}", "")
                return told
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise Unavailable(what, str(error) or type(error).__name__, "") from error
        finally:
            await tunnel.close()
