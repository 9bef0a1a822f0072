"""Finds clusters wherever they were made, and watches those that live.

The server keeps no truth: every look asks the places anew, and a server that was restarted finds everything again.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
from collections.abc import Awaitable, Callable
from logging import Logger

from ... import places
from ...client.clusters.follow import ClusterFollower
from ...client.clusters.listing import Listing, list_place
from ...controller.link import ClusterView, Link
from ...core import naming
from ...core.base import Seconds
from ...core.cluster import ClusterState, Problem, SilentPlace
from ...core.errors import ClusterEnded
from ...core.run import RunState
from ...core.waiting import end_tasks, until_set
from ..history.keeper import Keeper
from ..stream.hub import Hub

#: Ended clusters that are listed from the history, after their place has forgotten them.
_MOST_ENDED = 50

#: Seconds, and points, of an ended cluster's chart.
_CHART: Seconds = 900.0
_MOST_SAMPLES = 200


class ClusterWatcher:
    """The newest state of every cluster, by its id. Of those that had one name in one place, the last is listed.

    Parameters
    ----------
    list_interval, quiet_interval : seconds between looks, with and without a browser.
    """

    def __init__(self, hub: Hub, keeper: Keeper, list_interval: Seconds, quiet_interval: Seconds, log: Logger) -> None:
        self._hub, self._keeper, self._log = hub, keeper, log
        self._intervals = (list_interval, quiet_interval)
        self._followers: dict[str, ClusterFollower] = {}
        self._task: asyncio.Task[None] | None = None
        self._look = asyncio.Event()
        self._looking = asyncio.Lock()
        self._tick = asyncio.Event()
        self._whole: set[str] = set()
        self._silent: dict[str, SilentPlace] = {}
        #: Clusters on which runs of this home live.
        self._running: set[str] = set()
        #: What can't be read of clusters that live, which their controllers know nothing of.
        self._unreadable: dict[str, Problem] = {}
        self._warm = False
        self.states: dict[str, ClusterState] = {}
        #: Called with each run that a controller tells of.
        self.on_run: list[Callable[[RunState], None]] = []
        #: Called after each look; with whether all places answered, so that `states` are all clusters there are.
        self.on_look: list[Callable[[bool], Awaitable[None]]] = []

    async def start(self) -> None:
        """Show what the history knows, look once, and begin to watch."""
        for state, whole in await self._keeper.clusters(_MOST_ENDED):
            if state.phase == "ended":
                self._publish(state)
            if whole:
                self._whole.add(state.id)
        await self.look()
        self._hub.on_follow.append(self._follow)
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Let go of all clusters, which live on."""
        if self._task is not None:
            await end_tasks(self._task)
        await asyncio.gather(*(follower.close() for follower in self._followers.values()))
        self._followers.clear()

    @property
    def silent(self) -> list[SilentPlace]:
        """The places that didn't answer at the last look."""
        return list(self._silent.values())

    def find(self, name: str) -> ClusterState | None:
        """The newest state of the cluster that `name` means, if it is listed; raises `AmbiguousName`."""
        return self.states.get(name) or naming.find(name, self.states.values())

    def get(self, name: str) -> ClusterState:
        """The same; raises `UnknownCluster`, too."""
        found = self.find(name)
        if found is None:
            raise naming.unknown(name, self.states.values())
        return found

    def link(self, name: str) -> Link:
        """The open link to a live cluster; raises as `get`, and `ClusterEnded`, `ClusterUnreachable`."""
        return self._follower(name).link

    async def ask_state(self, name: str) -> None:
        """Have the state of a live cluster after all that it was asked for so far; raises as `link`."""
        await self._follower(name).ask_state()

    def _follower(self, name: str) -> ClusterFollower:
        state = self.get(name)
        follower = self._followers.get(state.id)
        if follower is None:
            raise ClusterEnded(f"The cluster {state.name!r} has ended", state.cause or "", "Start another one.")
        return follower

    async def changed(self, timeout: Seconds) -> None:
        """Return when any cluster changed, or after `timeout` seconds."""
        await until_set(self._tick, timeout)

    def runs_live_on(self, clusters: set[str]) -> None:
        """Runs of this home live on the clusters with these ids. Who sent them has turned to the foreign ones among
        them, whose schedulers tell how the runs go on."""
        self._running = clusters
        self._follow()

    def _wants_workers(self, state: ClusterState) -> bool:
        """Whether a cluster is followed with its workers; of a foreign one this lets its scheduler be asked."""
        return state.id in self._hub.clusters or (not state.ours and state.id in self._running)

    def refresh_now(self) -> None:
        """Look for clusters now: one was just made or ended."""
        self._look.set()

    def forget(self, cluster: str) -> None:
        """The cluster with that id is no longer listed."""
        self.states.pop(cluster, None)
        self._hub.put("cluster", cluster, None)

    async def look(self) -> None:
        """Ask all places once."""
        async with self._looking:
            await self._look_everywhere()

    async def _look_everywhere(self) -> None:
        for place in await asyncio.to_thread(places.names):
            listing = await list_place(place)
            self._note_silence(place, listing)
            await self._listed(place, listing)
        self._hub.put("silent", "", list(self._silent.values()))
        for looked in self.on_look:
            await looked(not self._silent)

    def _note_silence(self, place: str, listing: Listing) -> None:
        """A place that doesn't answer is told to browsers, and is in the log once."""
        if not listing.silent:
            self._silent.pop(place, None)
            return
        silent = listing.silent[0]
        if place not in self._silent:
            self._log.warning("jupyter-mlops: %s", silent.problem.words)
        self._silent[place] = silent

    async def _listed(self, place: str, listing: Listing) -> None:
        there = {state.id for state in listing.clusters}
        for state in listing.clusters:
            if state.phase == "ended":
                await self._ended(state)
            else:
                await self._lives(state)
        for known in list(self.states.values()):
            if known.place == place and known.id not in there and not listing.silent:
                await self._vanished(known)

    async def _lives(self, state: ClusterState) -> None:
        if state.unreadable and state.problem is not None:
            self._unreadable[state.id] = state.problem
        else:
            self._unreadable.pop(state.id, None)
        follower = self._followers.get(state.id)
        if follower is None:
            if not self._warm:
                # 0.7 s of imports, on a thread, so that browsers don't notice.
                await asyncio.to_thread(importlib.import_module, "distributed")
                self._warm = True
            follower = self._followers[state.id] = ClusterFollower(
                state,
                on_state=self._take_state,
                on_view=functools.partial(self._take_view, state),
                on_end=self.refresh_now,
            )
        follower.ensure(workers=self._wants_workers(state))
        follower.set_record(state)

    def _take_view(self, record: ClusterState, view: ClusterView, workers: bool) -> None:
        """All that the controller of a live cluster says, with its workers or without."""
        if workers:
            self._hub.put_workers(record.id, view.workers, view.gone, view.whole)
        self._hub.put_events(record.id, view.events)
        if workers and view.whole:
            self._hub.set_ready(self._hub.clusters.get(record.id))
        self._keeper.put_events(record, view.events)
        for run in view.runs:
            for tell in self.on_run:
                tell(run.told_by(record.name, record.id))

    def _take_state(self, state: ClusterState) -> None:
        """The newest state of a live cluster."""
        follower = self._followers.get(state.id)
        if follower is not None and follower.connected and not state.unreadable:
            self._keeper.put_cluster(state)
        self._publish(state)

    async def _ended(self, state: ClusterState) -> None:
        await self._unfollow(state.id)
        self._unreadable.pop(state.id, None)
        known = self.states.get(state.id)
        if state.unreadable:
            self._publish(state)  # the history may know more of it than what could be kept now
        elif state.id not in self._whole:
            self._publish(await self.keep(state))
        elif (known is None or known.phase != "ended") and not self._is_superseded(state):
            kept = await self._keeper.cluster(state.id)
            self._publish(kept if kept is not None else state)
        if feed := self._hub.clusters.get(state.id):
            if not feed.ready:
                self._hub.put_events(state.id, await places.get(state.place).events(state.id))
                self._hub.set_ready(feed)
            self._hub.put_workers(state.id, [], [], whole=True)

    async def keep(self, state: ClusterState) -> ClusterState:
        """Bring all of a cluster that ended into the history; its state with its last chart."""
        if state.unreadable or state.id in self._whole:
            return state
        place = places.get(state.place)
        receipt, events, timeline = await asyncio.gather(
            place.receipt(state.id), place.events(state.id), place.timeline(state.id)
        )
        recent = [sample for sample in timeline if sample.time > (state.ended or 0) - _CHART]
        state = state.model_copy(update={"timeline": state.timeline or recent[-_MOST_SAMPLES:]})
        self._hub.put_events(state.id, events)
        self._keeper.put_end(state, receipt, events, timeline)
        self._whole.add(state.id)
        return state

    async def _vanished(self, known: ClusterState) -> None:
        """The place doesn't know it any more: its record was removed, by time or by hand."""
        await self._unfollow(known.id)
        if known.phase != "ended":
            kept = await self._keeper.cluster(known.id)
            self.forget(known.id) if kept is None or kept.phase != "ended" else self._publish(kept)
        feed = self._hub.clusters.get(known.id)
        if feed is not None and not feed.ready:
            self._hub.put_events(known.id, await self._keeper.events(known.id))
            self._hub.set_ready(feed)

    async def _unfollow(self, cluster: str) -> None:
        follower = self._followers.pop(cluster, None)
        if follower is not None:
            await follower.close()

    def _publish(self, state: ClusterState) -> None:
        problem = self._unreadable.get(state.id) or self._keeper.problem
        if state.problem is None and problem is not None and state.phase != "ended":
            state = state.model_copy(update={"problem": problem})
        if self._is_superseded(state):
            self.forget(state.id)
            return
        self.states[state.id] = state
        self._hub.put("cluster", state.id, state)
        for other in self._of_its_name(state):
            if self._is_superseded(other):
                self.forget(other.id)
        tick, self._tick = self._tick, asyncio.Event()
        tick.set()

    def _is_superseded(self, state: ClusterState) -> bool:
        """Whether it has ended, and another one was made since by its name in its place: that one is listed instead."""
        return state.phase == "ended" and any(other.created > state.created for other in self._of_its_name(state))

    def _of_its_name(self, state: ClusterState) -> list[ClusterState]:
        return [other for other in self.states.values() if (other.path, other.mine) == (state.path, state.mine)]

    def _follow(self) -> None:
        for follower in self._followers.values():
            if follower.state is not None:
                follower.want_workers(self._wants_workers(follower.state))
        if any(not feed.ready and cluster not in self._followers for cluster, feed in self._hub.clusters.items()):
            self.refresh_now()

    async def _run(self) -> None:
        while True:
            busy, quiet = self._intervals
            await until_set(self._look, busy if self._hub.subscribers else quiet)
            self._look.clear()
            try:
                await self.look()
            except Exception:  # noqa: BLE001  # whatever one look met, said here, the next one may not
                self._log.exception("jupyter-mlops: a look for clusters failed")
