"""Clusters: what is asked of them, and the commands, each accepted at once and carried out as an operation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from ... import places
from ...client.clusters.listing import placed
from ...client.clusters.others import check_meant
from ...client.clusters.problems import problems_of
from ...client.clusters.start import start
from ...client.clusters.wait import Readiness, wait_for_end, wait_for_scale
from ...client.costs.gather import bills_of
from ...client.words import let_go_sentence
from ...controller.link import Link
from ...core.base import Seconds
from ...core.cluster import ClusterState, Event, GroupState, Receipt, Sample, WorkerState
from ...core.errors import ClusterEnded, ClusterUnreachable, Conflict, Refused, UnknownCluster, UnknownGroup
from ...core.extend import LimitChange
from ...core.naming import ClusterName, unknown
from ...core.operation import Operation
from ...core.words import count
from ..history.keeper import Keeper
from ..operations.manager import OperationManager, Progress
from ..profiles.manager import ProfileManager
from .request import AdaptRequest, LetGoRequest, ScaleRequest, change_of, start_of
from .watcher import ClusterWatcher

#: Seconds within which a controller that is well has said no.
_AT_ONCE = 2.0


class ClusterManager:
    """The door to clusters for the handlers. Errors that can be known at once are raised at once."""

    def __init__(
        self, watcher: ClusterWatcher, keeper: Keeper, operations: OperationManager, profiles: ProfileManager
    ) -> None:
        self._watcher, self._keeper, self._operations, self._profiles = watcher, keeper, operations, profiles

    # What is asked.

    async def states(self) -> list[ClusterState]:
        """All clusters, newest first."""
        return sorted(self._watcher.states.values(), key=lambda state: state.created, reverse=True)

    async def state(self, name: str) -> ClusterState:
        """One cluster; raises `UnknownCluster`, `AmbiguousName`."""
        try:
            return self._watcher.get(name)
        except UnknownCluster:
            await self._watcher.look()  # made a moment ago, by somebody else
            return self._watcher.get(name)

    async def workers(self, name: str) -> list[WorkerState]:
        """Its workers; none when it has ended. Raises `UnknownCluster`, `ClusterUnreachable`."""
        state = await self.state(name)
        if state.phase == "ended":
            return []
        return (await self._watcher.link(state.id).view(workers=True)).workers

    async def events(self, name: str) -> list[Event]:
        """What happened to it, oldest first; raises `UnknownCluster`."""
        try:
            backend, cluster = await placed(name)
            return await backend.events(cluster)
        except UnknownCluster:
            await self._check_kept(name)
            return await self._keeper.events(name)

    async def timeline(self, name: str, since: float) -> list[Sample]:
        """Its timeline after `since`; raises `UnknownCluster`."""
        try:
            backend, cluster = await placed(name)
            return await backend.timeline(cluster, since)
        except UnknownCluster:
            await self._check_kept(name)
            return await self._keeper.timeline(name, since)

    async def receipt(self, name: str) -> Receipt:
        """Its final sum. Raises `UnknownCluster`, `Unreadable`, and `Conflict` while it lives."""
        try:
            backend, cluster = await placed(name)
            receipt = await backend.receipt(cluster)
        except UnknownCluster:
            await self._check_kept(name)
            receipt = await self._keeper.receipt(name)
        if receipt is None:
            raise Conflict(
                f"The cluster {ClusterName.of(name).name!r} has no receipt",
                "it hasn't ended",
                "Its cost so far is in its state.",
            )
        return receipt

    async def logs(self, name: str, worker: str | None, lines: int) -> list[str]:
        """The last lines of a log; raises `UnknownCluster`, `UnknownWorker`."""
        backend, cluster = await placed(name)
        return await backend.logs(cluster, worker, lines)

    # Commands.

    async def start(self, body: dict[str, Any]) -> Operation:
        """Make one. Raises `UnknownProfile`, `InvalidSpec`, `OutOfRange`, `Refused`, `NameTaken`, `StartFailed`,
        `StorageFull`."""
        asked = start_of(body)
        made = await start(asked.profile, asked.name, asked.workers, asked.group)
        await self._profiles.publish()
        await self._watcher.look()

        async def work(progress: Progress) -> None:
            await wait_for_scale(_Watched(self._watcher, made.id), made.name, None, _teller(progress))

        return self._operations.begin("start", made.id, work)

    async def change(self, name: str, body: dict[str, Any]) -> Operation:
        """Scale it, let idle workers go, let it follow its work, or give it other limits. Raises `UnknownCluster`,
        `UnknownGroup`, `OutOfRange`, `Conflict`, `ClusterEnded`, `ClusterUnreachable`, `Refused`, `VersionMismatch`."""
        asked = change_of(body)
        state = await self.state(name)
        if state.phase in ("stopping", "ended"):
            raise ClusterEnded(
                f"The cluster {state.name!r} can't be changed", f"it is {state.phase}", "Start another one."
            )
        if isinstance(asked, LimitChange):
            return await self._limit(state, asked)
        verb = {AdaptRequest: "adapt", LetGoRequest: "let_go"}.get(type(asked), "scale")
        _may(state, verb)
        group = _group(state, asked.group)
        if isinstance(asked, LetGoRequest):
            return await self._let_go(state, group, asked)
        if isinstance(asked, AdaptRequest):
            return await self._adapt(state, group, asked)
        return await self._scale(state, group, asked)

    async def _scale(self, state: ClusterState, group: GroupState, asked: ScaleRequest) -> Operation:
        accepted = await self._asked(state, lambda link: link.scale(asked.workers, group.name, asked.now))

        async def work(progress: Progress) -> None:
            await accepted
            cluster = _Watched(self._watcher, state.id)
            await wait_for_scale(cluster, state.name, group.name, _teller(progress))

        return self._operations.begin("scale", state.id, work)

    async def _let_go(self, state: ClusterState, group: GroupState, asked: LetGoRequest) -> Operation:
        gone: list[str] = []

        async def command(link: Link) -> None:
            gone.extend(await link.let_go(asked.let_go, group.name))

        accepted = await self._asked(state, command)

        async def work(progress: Progress) -> None:
            await accepted
            progress.tell(text=let_go_sentence(gone))

        return self._operations.begin("let_go", state.id, work)

    async def _adapt(self, state: ClusterState, group: GroupState, asked: AdaptRequest) -> Operation:
        accepted = await self._asked(state, lambda link: link.adapt(asked.minimum, asked.maximum, group.name))

        async def work(progress: Progress) -> None:
            await accepted
            progress.tell(text=f"{asked.minimum} to {asked.maximum} workers")

        return self._operations.begin("adapt", state.id, work)

    async def _limit(self, state: ClusterState, asked: LimitChange) -> Operation:
        accepted = await self._asked(state, lambda link: link.limit(asked))

        async def work(progress: Progress) -> None:
            await accepted
            progress.tell(text="Its limits are changed")

        return self._operations.begin("limit", state.id, work)

    async def _asked(
        self, state: ClusterState, command: Callable[[Link], Coroutine[Any, Any, None]]
    ) -> asyncio.Task[None]:
        """`command`, under way. When it is done, browsers have been told what the cluster made of it. What is refused
        at once is raised here, so that the request itself is refused."""

        async def work() -> None:
            await command(self._watcher.link(state.id))
            await self._watcher.ask_state(state.id)

        task = asyncio.create_task(work())
        done, _ = await asyncio.wait({task}, timeout=_AT_ONCE)
        if done:
            task.result()
        return task

    async def remove(self, name: str, force: bool) -> Operation | None:
        """Stop it; None for one that has ended, which is no longer listed. Raises `UnknownCluster`, `AmbiguousName`,
        `Refused`, `ClusterUnreachable`, and `Conflict` for one of others that isn't named exactly."""
        state = await self.state(name)
        if state.phase == "ended":
            await self._forget(state)
            return None
        _may(state, "stop")
        check_meant(name, state, self._watcher.states.values())
        place = places.get(state.place)

        async def work(progress: Progress) -> None:
            progress.tell(text="Stopping")
            await place.stop(state.id, force=force)
            await wait_for_end(
                _Watched(self._watcher, state.id),
                state.name,
                lambda left, part: progress.tell(text=f"{count(left, 'worker')} left", progress=part),
            )
            await self._watcher.look()  # so that its end is in the history when this is done

        return self._operations.begin("stop", state.id, work)

    async def _forget(self, state: ClusterState) -> None:
        """Its receipt stays in the history, and its bill for good."""
        try:
            place, cluster = await placed(state.id)
            ended = await place.get(cluster)
            await self._watcher.keep(ended)
            await bills_of([ended])
            await place.forget(cluster)
        except UnknownCluster:
            await self._check_kept(state.id)
        self._keeper.forget(state.id)
        self._watcher.forget(state.id)

    async def _check_kept(self, name: str) -> None:
        """Raise `UnknownCluster` when the history doesn't have it either."""
        if await self._keeper.cluster(name) is None:
            raise unknown(name, self._watcher.states.values())


class _Watched:
    """A cluster that the server watches, as `wait.Followed`."""

    def __init__(self, watcher: ClusterWatcher, cluster: str) -> None:
        self._watcher, self._id = watcher, cluster

    @property
    def state(self) -> ClusterState | None:
        """The newest state."""
        return self._watcher.states.get(self._id)

    async def changed(self, timeout: Seconds) -> None:
        """Return when any cluster changed; one that stops is looked at sooner than others."""
        if self.state is not None and self.state.phase == "stopping":
            self._watcher.refresh_now()
        await self._watcher.changed(timeout)


def _teller(progress: Progress) -> Callable[[Readiness, ClusterState], None]:
    """Tells an operation how many workers there are, and what keeps the others from coming."""

    def tell(there: Readiness, state: ClusterState) -> None:
        why = "".join(f"; {problem.what}" for _, problem in problems_of(state)[:1])
        progress.tell(progress=there.part, text=f"{there}{why}")

    return tell


def _may(state: ClusterState, verb: str) -> None:
    """Raise when a cluster can't be asked for something. One that ends already may be told to, and be waited for."""
    if verb in state.commands or (verb == "stop" and state.phase == "stopping"):
        return
    what = f"The cluster {state.name!r} can't be asked to {verb}"
    if not state.ours:
        todo = f"Run `helm uninstall {state.name}`." if state.maker == "helm" else f"Use {state.maker} for that."
        raise Refused(what, f"it was made with {state.maker}", todo)
    if state.problem is not None:
        raise ClusterUnreachable(what, state.problem.words, state.problem.todo)
    raise Conflict(what, f"it is {state.phase}", "Look at it again in a moment.")


def _group(state: ClusterState, name: str | None) -> GroupState:
    if not state.groups:
        raise Conflict(f"The cluster {state.name!r} can't be changed yet", "it is starting", "Try again in a moment.")
    for group in state.groups:
        if name is None or group.name == name:
            return group
    raise UnknownGroup.named(name or "", [group.name for group in state.groups])
