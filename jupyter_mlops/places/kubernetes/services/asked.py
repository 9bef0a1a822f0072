"""Asks each pod of a service what it has counted, and what it has logged; and reads what it wrote."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TypeVar

from ....core.alert import ServiceWatch
from ....core.base import Record, Seconds, read_record
from ....core.callers import UsageDay
from ....core.errors import MlopsError, Unavailable, Unreadable
from ....core.log_questions import UsageDays
from .. import names
from ..api.client import Answer, Api, Json
from ..tunnel.port_forward import Tunnel
from ..why.facts import is_ready

#: Seconds that a pod has to tell what it counted, and what it logged, which may be a lot.
_PATIENCE, _LONG = 20.0, 120.0

_R = TypeVar("_R", bound=Record)


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
        told = await asyncio.gather(*map(self._watch, self._pods), return_exceptions=True)
        heard = [each for each in told if isinstance(each, ServiceWatch)]
        if self._pods and not heard:
            fault = next(each for each in told if isinstance(each, BaseException))
            if not isinstance(fault, MlopsError):
                raise fault
            raise Unavailable("No pod of the service tells what it was asked", str(fault), "Try again.")
        return heard

    async def _watch(self, pod: str) -> ServiceWatch:
        return told_by(pod, ServiceWatch, await self._ask(pod, "GET", "watch", b"", _PATIENCE))

    async def of_all_logs(self, question: str, body: bytes) -> list[bytes]:
        """What the log of each pod answers to a question of `log_door`; raises `Unavailable` where one doesn't."""
        return await asyncio.gather(*(self.of_log(pod, question, body) for pod in self._pods))

    async def usage(self) -> dict[str, list[UsageDay]]:
        """What callers asked of each pod, by the day. One that doesn't tell is left out."""
        told = await asyncio.gather(*map(self._usage, self._pods), return_exceptions=True)
        return {pod: each.days for pod, each in zip(self._pods, told, strict=True) if isinstance(each, UsageDays)}

    async def _usage(self, pod: str) -> UsageDays:
        return told_by(pod, UsageDays, await self.of_log(pod, "usage", b""))

    async def of_log(self, pod: str, question: str, body: bytes) -> bytes:
        """What the log of one pod answers; raises `Unavailable`."""
        return await self._ask(pod, "POST", f"log/{question}", body, _LONG)

    async def _ask(self, pod: str, method: str, path: str, body: bytes, patience: Seconds) -> bytes:
        import aiohttp

        async def find() -> str:
            return pod

        tunnel = Tunnel(self._api, find, names.SERVICE_PORT, same=True)
        port = await tunnel.open()
        what = _silent(pod)
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


def told_by(pod: str, kind: type[_R], told: bytes) -> _R:
    """What a pod told, as a record. It runs what people wrote, and may say anything: that is as if it said nothing.

    Raises
    ------
    Unavailable : it can't be read.
    """
    try:
        return read_record(kind, told, f"answer of {pod}")
    except Unreadable as fault:
        raise Unavailable(_silent(pod), str(fault), "") from None


async def log_of(api: Api, pod: str, lines: int) -> list[str]:
    """The last lines that a pod wrote, each with its name; where it began again, what it wrote before, too."""
    found: list[str] = []
    for query in ({"previous": "true"}, {}):
        with contextlib.suppress(Answer):  # there was none before, or it hasn't begun
            text = await api.text(api.path("pods", pod) + "/log", {"tailLines": lines, **query})
            found += [f"{pod}: {line}" for line in text.splitlines()]
    return found[-lines:]


def _silent(pod: str) -> str:
    return f"{pod} doesn't tell what it was asked"
