"""Services on Kubernetes: a Deployment of pods that each answer, and a Service in front of them.

Nothing of ours has to live for them: Kubernetes keeps as many pods as are wanted, and brings another version beside the
one that answers. What is wanted stands in the record, which whoever looks reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ClassVar, TypeVar

from ....core.alert import ServiceWatch, alarm_of, together
from ....core.base import Seconds, Time
from ....core.callers import CallerDay, callers_now, counted_together
from ....core.cluster import Problem, Receipt
from ....core.errors import Conflict, MlopsError, Refused, Unavailable, UnknownService, Unreadable
from ....core.label import JoinedLabels
from ....core.performance import Performance, worse_alarm
from ....core.service import CallerTokens, ServiceSpec, ServiceState
from ....core.split import Move
from ....core.waiting import wait_for
from ....core.window import Window
from ....home.elsewhere import remove_unseen
from ....home.models import model_folder
from ....home.owner import me
from ....home.request_files import LoggedPieces
from ....home.services import caller_of, with_caller
from ...hosting import Hosting
from .. import names, shipped
from ..api.client import Answer, Api
from ..api.where import everywhere, remember, where
from ..names import ServiceNames
from ..tunnel.connections import Connections, has_name_here
from ..why.facts import is_ready
from .asked import PodAsker, log_of
from .finder import ServiceFinder
from .logged import CopiedLog
from .making import change_service, make_service
from .objects import CALLERS, LEDGER, PAST, TOKEN, WANTED, check_spec, port_of
from .parcel import Parcels, parcels_of
from .record import TRIES, as_lines, look, store
from .refused import checked, not_made
from .seen import folder_of, told_here
from .stopping import LOOK, close, delete_deployment, delete_record, is_there
from .stored import StoredService, with_replicas
from .wishes import Settling, change_wish, not_ready

#: Seconds that pods have to end, beside the patience of their service.
_ENDING: Seconds = 60.0

#: Seconds that it may take to copy what they have logged before that.
_COPYING: Seconds = 30.0

_T = TypeVar("_T")


class KubernetesHosting(Hosting):
    """Services as pods. It holds connections, and what was seen last for as long as Kubernetes doesn't answer."""

    by_profile: ClassVar[bool] = True
    logs_requests: ClassVar[bool] = True
    every: ClassVar[Seconds] = LOOK

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._settling = Settling(self._copy_logs)
        self._finder = ServiceFinder(connections, self._settling.look)

    async def deploy(self, spec: ServiceSpec) -> ServiceState:
        """As in `Hosting`. Raises `InvalidSpec`, too."""
        check_spec(spec)
        await self._copy_logs(spec.name)
        parcels = await asyncio.to_thread(parcels_of, spec)
        return await self._run(self._deploy(spec, parcels))

    async def change(self, name: str, change: Callable[[ServiceSpec], ServiceSpec], expected: str = "") -> ServiceSpec:
        """As in `Hosting`. What pods can do as they are they do within a second. Raises `InvalidSpec`, too."""
        return await self._run(change_wish(lambda: self._find(name), change, expected, self._copy_logs))

    async def services(self) -> list[ServiceState]:
        """As in `Hosting`. Where Kubernetes doesn't answer, what was seen there last, as unreachable."""
        if not shipped.reachable():
            return []
        states = await self._run(self._finder.states(await asyncio.to_thread(everywhere)))
        return [self._settling.told(state) for state in states]

    async def decided(self) -> list[tuple[ServiceState, Move]]:
        """As in `Hosting`."""
        return await self._run(self._settling.noted()) if self._settling.unnoted else []

    def silence(self) -> Problem | None:
        """As in `Hosting`."""
        return self._finder.silence()

    async def get(self, name: str) -> ServiceState:
        """As in `Hosting`."""
        return self._settling.told(await asyncio.to_thread(told_here, (await self._found(name))[1]))

    async def spec(self, name: str) -> ServiceSpec:
        """As in `Hosting`."""
        return (await self._found(name))[1].spec

    async def reach(self, name: str) -> str:
        """As in `Hosting`: by its name from inside of the same Kubernetes cluster, else through a tunnel."""

        async def reach() -> str:
            api, found = await self._find(name, lately=True)
            if await has_name_here(found.ids.host):
                return f"http://{found.ids.host}:{port_of(found.spec)}"
            selector = f"{found.ids.selector},{names.PART}=replica"
            port = await self._connections.tunnel(api, found.ids.whole, names.SERVICE_PORT, selector, ready=True)
            return f"http://127.0.0.1:{port}"

        return await self._run(reach())

    async def stop(self, name: str) -> None:
        """As in `Hosting`."""
        await self._copy_logs(name)
        await self._run(self._stop(name))

    async def forget(self, name: str) -> None:
        """As in `Hosting`."""

        async def forget() -> None:
            api, found = await self._find(name)
            if found.deployment is not None:
                raise Conflict(f"The service {name!r} lives", "", "Stop it first.")
            await delete_record(api, found)
            await asyncio.to_thread(folder_of(found).forget)
            self._finder.forget()

        await self._run(forget())

    async def withdraw(self, spec: ServiceSpec) -> None:
        """As in `Hosting`."""

        async def withdraw() -> None:
            api, found = await self._find(spec.name)
            before = found.before
            if found.spec.revision != spec.revision or before is None or found.deployment is None:
                return
            try:
                parcels = await asyncio.to_thread(parcels_of, before)
                await change_service(api, found, before, parcels, keep=None, past=not_ready(found))
            except FileNotFoundError:
                pass  # it was removed here, and answers there all the same
            except Answer as answer:
                if answer.status != 409:  # somebody wants something else meanwhile
                    raise

        await self._run(withdraw())

    async def receipt(self, name: str) -> Receipt | None:
        """As in `Hosting`."""
        return (await self._found(name))[1].receipt

    async def own_token(self, name: str) -> str:
        """As in `Hosting`."""
        if token := _own_token((await self._run(self._find(name, lately=True)))[1]):
            return token

        def mine(there: StoredService) -> tuple[str, CallerTokens]:
            if token := _own_token(there):  # somebody asked at the same moment
                return token, there.callers
            return with_caller(there.callers, me(), name)

        token, _ = await self._change_callers(name, mine, own=True)
        return token

    async def let_in(self, name: str, caller: str) -> str:
        """As in `Hosting`. Its pods know it within two minutes, which is as often as Kubernetes looks for changes."""
        token, _ = await self._change_callers(name, lambda there: with_caller(there.callers, caller, name))
        return token

    async def shut_out(self, name: str, caller: str) -> bool:
        """As in `Hosting`, but for the time, which is as with `let_in`."""

        def without(there: StoredService) -> tuple[str, CallerTokens]:
            return "", CallerTokens(callers=[each for each in there.callers.callers if each.name != caller])

        _, before = await self._change_callers(name, without)
        return any(each.name == caller for each in before.callers)

    async def callers(self, name: str) -> list[str]:
        """As in `Hosting`."""
        return [each.name for each in (await self._found(name))[1].callers.callers]

    async def usage(self, name: str) -> list[CallerDay] | None:
        """As in `Hosting`. What a pod counted that is gone is known as it was seen last; where nothing is, nobody knows
        whether there was any."""
        asker, found = await self._asker(name)
        now, told = time.time(), await self._run(asker.usage())
        counted = counted_together(await asyncio.to_thread(folder_of(found).count, told, now))
        callers = callers_now([each.name for each in found.callers.callers], counted, now)
        return callers if any(each.last for each in callers) else None

    async def watch(self, name: str) -> ServiceWatch | None:
        """As in `Hosting`: pods count for themselves, and are asked, each. What one counted that is gone went with it.
        Raises `Unavailable` where none can be asked."""
        asker, found = await self._asker(name)
        spec = found.spec
        heard = [each for each in await self._run(asker.watches()) if each.open.digest == spec.digest]
        baseline = await asyncio.to_thread(model_folder(spec.model).version(spec.version).baseline)
        told = together(heard, baseline)
        if heard:
            alarm = alarm_of(name, told.alerts)
            await asyncio.to_thread(folder_of(found).see, lambda seen: seen.note(spec.version, drift=alarm))
        return told

    async def windows(self, name: str) -> list[Window]:
        """As in `Hosting`: none."""
        await self._found(name)
        return []

    async def performance(self, name: str) -> Performance | None:
        """As in `Hosting`."""
        logs, found = await self._logs(name)
        told, version = await self._run(logs.performance()), found.spec.version
        if told is not None:
            alarm = worse_alarm(name, told)
            await asyncio.to_thread(folder_of(found).see, lambda seen: seen.note(version, worse=alarm))
        return told

    async def keep(self) -> None:
        """As in `Hosting`."""
        await asyncio.to_thread(remove_unseen, time.time())
        for state in await self.services():
            if state.phase == "ready":
                with contextlib.suppress(MlopsError):  # the others are looked at all the same
                    await self.watch(state.name)
                    await self.performance(state.name)
                    await self.usage(state.name)

    async def new_rows(self, name: str, since: Time) -> int:
        """As in `Hosting`: of the copy."""
        log = folder_of((await self._found(name))[1]).requests
        return await asyncio.to_thread(log.new_rows, since)

    async def settled(self) -> None:
        """As in `Hosting`."""
        await self._run(self._settling.done())

    async def label(self, name: str, pairs: Iterable[tuple[str, object]]) -> JoinedLabels:
        """As in `Hosting`."""
        return await self._run((await self._logs(name))[0].label(pairs))

    async def requests(self, name: str, since: Time) -> list[dict[str, Any]]:
        """As in `Hosting`."""
        return await self._run((await self._logs(name))[0].rows(since))

    async def logged(self, name: str, since: Time) -> LoggedPieces:
        """As in `Hosting`."""
        return await self._run((await self._logs(name))[0].logged(since))

    async def forget_key(self, name: str, key: str) -> int:
        """As in `Hosting`."""
        return await self._run((await self._logs(name))[0].forget(key))

    async def _logs(self, name: str) -> tuple[CopiedLog, StoredService]:
        asker, found = await self._asker(name)
        return CopiedLog(asker, folder_of(found), found.spec, len(found.living)), found

    async def _copy_logs(self, name: str) -> None:
        """Copy what pods have logged, as far as that can be done soon: they may be about to go."""
        with contextlib.suppress(MlopsError, Answer, asyncio.TimeoutError):
            found = (await self._found(name))[1]
            if any(map(is_ready, found.pods)):
                await self._run(wait_for((await self._logs(name))[0].copy(), _COPYING))
                await self.usage(name)

    async def _asker(self, name: str) -> tuple[PodAsker, StoredService]:
        api, found = await self._found(name)
        token = _own_token(found) or await self.own_token(name)
        return PodAsker(api, found.pods, token), found

    async def logs(self, name: str, lines: int = 200) -> list[str]:
        """As in `Hosting`. Of a pod that began again, what it said before, too."""

        async def logs() -> list[str]:
            api, found = await self._find(name)
            told = [await log_of(api, str(pod["metadata"]["name"]), lines) for pod in found.pods]
            return [line for each in told for line in each]

        return await self._run(logs())

    # On the loop of the connections.

    async def _run(self, work: Awaitable[_T]) -> _T:
        return await self._connections.run(work)  # type: ignore[arg-type]  # each is a coroutine

    async def _found(self, name: str) -> tuple[Api, StoredService]:
        return await self._run(self._find(name))

    async def _find(self, name: str, lately: bool = False) -> tuple[Api, StoredService]:
        """The service of that name, wherever it is; `lately`, as it was a moment ago. Raises `UnknownService`;
        `Unavailable` where it may be in a place that doesn't answer."""
        if not shipped.reachable():
            raise UnknownService.named(name, [])
        find = self._finder.lately if lately else self._finder.find
        return await find(name, await asyncio.to_thread(everywhere))

    async def _deploy(self, spec: ServiceSpec, parcels: Parcels) -> ServiceState:
        assert spec.profile is not None
        place = where(spec.profile)
        api = await self._connections.api(*place)
        await asyncio.to_thread(remember, place)
        ids = ServiceNames(spec.name, api.namespace)
        found = await look(api, ids)
        if found is not None:
            spec = checked(found, spec)
        if found is None or found.stopped:
            await self._check_elsewhere(spec.name)
        try:
            if found is None or found.deployment is None:
                spec = spec.model_copy(update={"candidate": None})
            if found is None:
                await make_service(api, ids, spec, parcels)
            elif found.deployment is None:
                await make_service(api, ids, spec, parcels, found)
            else:
                await change_service(api, found, spec, parcels, keep=found.spec if found.answers else found.before)
        except Answer as answer:
            raise not_made(spec, answer) from None
        self._finder.forget()
        if (made := await look(api, ids)) is None:
            raise UnknownService.named(spec.name, [])
        return made.state()

    async def _check_elsewhere(self, name: str) -> None:
        """Raise `Conflict` where one of this name is in another namespace: a name means one service."""
        with contextlib.suppress(UnknownService, Unavailable, Refused):
            _, other = await self._find(name)
            if not other.stopped:
                raise Conflict(
                    f"There is a service {name!r} already",
                    f"in the namespace {other.ids.namespace!r}",
                    "Choose another name, name a profile of that namespace, or stop it first.",
                )

    async def _stop(self, name: str) -> None:
        api, found = await self._find(name)
        if found.stopped:
            return
        try:
            patience = found.spec.patience + _ENDING
        except Unreadable:
            patience = _ENDING
        await delete_deployment(api, found, "Foreground")
        with contextlib.suppress(Unreadable, Answer):  # it costs no more, whoever lives to see that it is gone
            entries = with_replicas(found.entries, found.spec.model_copy(update={"replicas": 0}), time.time())
            wanted = found.spec.model_copy(update={"candidate": None})  # what is tried isn't when it is deployed again
            files = {WANTED: wanted.model_dump_json(), PAST: "", LEDGER: as_lines(entries)}
            await store(api, found.ids, files, found.version)
        deadline = time.monotonic() + patience
        while (left := await look(api, found.ids)) is not None and await is_there(api, left):
            if time.monotonic() > deadline:
                why = f"{len(left.pods)} of its pods are still there after {patience:.0f} s"
                raise Unavailable(f"The service {name!r} is being stopped", why, "Look again later.")
            await asyncio.sleep(LOOK)
        await self._connections.close_tunnels(api, found.ids.whole)
        if left is not None:
            await close(api, left)
        self._finder.forget()

    async def _change_callers(
        self, name: str, change_them: Callable[[StoredService], tuple[str, CallerTokens]], own: bool = False
    ) -> tuple[str, CallerTokens]:
        """Change who may call; the token that came of it, and who might before. `own` keeps it as the owner's."""

        async def work() -> tuple[str, CallerTokens]:
            for attempt in range(TRIES):
                api, found = await self._find(name)
                token, known = change_them(found)
                files: dict[str, str | bytes] = {CALLERS: known.model_dump_json(indent=1)}
                try:
                    await store(api, found.ids, {**files, **({TOKEN: token} if own else {})}, found.version)
                except Answer as answer:
                    if answer.status != 409 or attempt == TRIES - 1:
                        raise
                    continue
                self._finder.forget()
                return token, found.callers
            raise AssertionError

        return await self._run(work())


def _own_token(found: StoredService) -> str:
    """This user's own, where the service has one that opens it."""
    return found.token if found.token and caller_of(found.token, found.callers) == me() else ""
