"""Services as browsers see them. They live in places; here they are listed, asked for, tried and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from logging import Logger
from typing import Any

from pydantic_core import from_json, to_json
from tornado.httpclient import AsyncHTTPClient, HTTPRequest

from ...core.alert import ServiceWatch
from ...core.base import Seconds, read_request
from ...core.callers import ServiceCallers
from ...core.candidate import CandidateState, SplitChange, SplitEnd
from ...core.errors import InvalidInput, Unavailable
from ...core.history import ServiceHistory
from ...core.label import JoinedLabels, words_of
from ...core.performance import Performance, performance_words
from ...core.retraining import Retraining
from ...core.service import Deployment, ServiceState
from ...core.trail import Actor
from ...home.owner import me
from ...serving import deeds, splits
from ...serving.deploy import deploy, until_so
from ...serving.find import find_service, hosting_of, list_services, watch_of
from ...serving.labels import read_labels
from ...serving.looking import keep_services
from ...serving.missed import callers_of
from ..stream.hub import Hub
from ..stream.looker import Looker

#: Seconds between two looks at the services, while there is a browser; and at what those count and log that can't
#: write here.
_LOOK: Seconds = 1.0
_KEEP: Seconds = 30.0

#: Seconds that an answer to a try may take.
_PATIENCE: Seconds = 60.0

#: Characters of a reason.
_MOST_WHY = 5000


class ServiceManager:
    """The door to the services; tells browsers of them."""

    def __init__(self, hub: Hub, log: Logger) -> None:
        self._hub = hub
        self._looker = Looker(hub, log, "services", _LOOK, self.publish)
        self._keeper = Looker(hub, log, "services' pods", _KEEP, keep_services)

    def start(self) -> None:
        """Begin to look."""
        self._looker.start()
        self._keeper.start()

    async def close(self) -> None:
        """Stop looking. Services live on."""
        await self._looker.close()
        await self._keeper.close()

    async def publish(self) -> None:
        """Tell browsers of the services as they are now; of those that were stopped nothing."""
        states = await list_services()
        self._hub.put("services", "", [state for state in states if state.phase != "stopped"])

    async def states(self) -> list[ServiceState]:
        """All, by name."""
        return await list_services()

    async def deploy(self, body: dict[str, Any], user: str = "") -> ServiceState:
        """Have a version answer, and wait until it does; raises as `mlops.deploy`. `user` is who asks, if that is
        known."""
        actor = _actor(user)
        _, spec = await deploy(read_request(Deployment, body, "deployment"), actor)
        await self.publish()
        try:
            return await until_so(spec, actor)
        finally:
            await self.publish()

    async def change_split(self, name: str, body: dict[str, Any], user: str = "") -> ServiceState:
        """Give the version that is tried another share, or have it wait or go on; raises as `splits.change_split`.
        `user` is who asks, if that is known."""
        asked = read_request(SplitChange, body, "split")
        told = asked.model_dump(include={"share", "paused", "why", "expected"})
        try:
            return await splits.change_split(name, _actor(user), **told)
        finally:
            await self.publish()

    async def promote(self, name: str, body: dict[str, Any], user: str = "") -> ServiceState:
        """Have the version that is tried serve, and wait until it does; raises as `splits.promote`."""
        return await self._ended(splits.promote, name, body, user)

    async def roll_back(self, name: str, body: dict[str, Any], user: str = "") -> ServiceState:
        """Go back to what served before, and wait until it does; raises as `splits.roll_back`."""
        return await self._ended(splits.roll_back, name, body, user)

    async def _ended(self, end: Callable[..., Any], name: str, body: dict[str, Any], user: str) -> ServiceState:
        asked, actor = read_request(SplitEnd, body, "request"), _actor(user)
        try:
            _, spec = await end(name, actor, why=asked.why, expected=asked.expected)
            await self.publish()
            return await until_so(spec, actor)
        finally:
            await self.publish()

    async def candidate(self, name: str) -> CandidateState | None:
        """How the version that is tried compares with the one that serves; raises `UnknownService`."""
        return await splits.candidate_of(name)

    async def retrain(self, name: str, why: Any, user: str = "") -> Retraining:
        """Have the pipeline of a service's model run; raises as `retrain`. `user` is who asks, if that is known."""
        from ...serving.retrain import retrain  # notebooks' parts: not at the server's start

        if not isinstance(why, str) or len(why) > _MOST_WHY:
            raise InvalidInput("why isn't a reason", f"it is a text of at most {_MOST_WHY:,} characters", "")
        try:
            return await retrain(name, _actor(user), why)
        finally:
            await self.publish()

    async def stop(self, name: str, user: str = "") -> ServiceState:
        """End one; raises `UnknownService`, `Unavailable`. `user` is who asks, if that is known."""
        await deeds.stop(name, _actor(user))
        await self.publish()
        return await find_service(name)

    async def example(self, name: str) -> list[Any]:
        """Rows that a service could be asked; raises `UnknownService`."""
        state = await find_service(name)

        def read() -> list[Any]:
            from ...serving.example import example_records  # numpy: not at the server's start

            return example_records(state.model, state.version) if state.version else []

        return await asyncio.to_thread(read)

    async def watch(self, name: str) -> ServiceWatch:
        """How what a service is asked compares with its version's baseline; raises `UnknownService`, `Unreadable`."""
        state = await find_service(name)
        return await watch_of(state.place, name)

    async def performance(self, name: str) -> Performance:
        """How good a service's version is at what it is asked; raises `UnknownService`, `Unreadable`."""
        state = await find_service(name)
        told = await hosting_of(state.place).performance(name) or Performance()
        return told.model_copy(update={"words": performance_words(told)})

    async def callers(self, name: str) -> ServiceCallers:
        """Who calls a service, as far as that is known; raises `UnknownService`, `Unreadable`."""
        state = await find_service(name)
        return await callers_of(state.place, name)

    async def history(self, name: str, seconds: str) -> ServiceHistory:
        """What became of a service in the last so many seconds; raises as `history_of`."""
        from ...serving.history import history_of  # numpy: not at the server's start

        try:
            span = float(seconds)
        except ValueError:
            raise InvalidInput("There is no such history", f"{seconds!r:.60} is no number of seconds", "") from None
        return await history_of(name, span)

    async def label(self, name: str, labels: Any) -> JoinedLabels:
        """Join labels to what a service has answered: records with `id` and `label`, or a table of id → label.

        Raises
        ------
        UnknownService, Unavailable, Unreadable, StorageFull, Refused
        InvalidInput : these are no labels.
        """
        if not isinstance(labels, (list, dict)):  # a text would be taken for the path of a file
            raise InvalidInput("There are no labels", "", 'Send {"labels": [{"id", "label"}, …]}.')
        joined = await deeds.label(name, read_labels(labels))
        return joined.model_copy(update={"words": words_of(joined)})

    async def forget_key(self, name: str, key: Any, user: str = "") -> int:
        """Remove what the requests of a key left; raises as `label`. `user` is who asks, if that is known."""
        return await deeds.forget_key(name, key, _actor(user))

    async def try_out(self, name: str, data: Any) -> dict[str, Any]:
        """What a service answers to plain records: the HTTP status, and what it said.

        Raises
        ------
        UnknownService
        Unavailable : it doesn't answer at all.
        """
        state = await find_service(name)
        if not state.live:
            raise Unavailable(f"The service {name!r} is {state.phase}", "", "Deploy it again.")
        hosting = hosting_of(state.place)
        token, address = await hosting.own_token(name), await hosting.reach(name)
        request = HTTPRequest(
            f"{address}/predict",
            "POST",
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            body=to_json(data),
            request_timeout=_PATIENCE,
        )
        try:
            heard = await AsyncHTTPClient().fetch(request, raise_error=False)
        except OSError as error:
            raise Unavailable(f"The service {name!r} doesn't answer", str(error), "") from error
        if heard.code == 599:  # Tornado's own, for no answer
            raise Unavailable(f"The service {name!r} doesn't answer", str(heard.error), "")
        try:
            return {"status": heard.code, "answer": from_json(heard.body)}
        except ValueError as error:  # its router is gone, and something else has the port
            raise Unavailable(f"The service {name!r} doesn't answer", f"{address} said no JSON", "") from error


def _actor(user: str) -> Actor:
    return Actor(name=user or me(), how="sidebar")
