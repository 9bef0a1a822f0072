"""A connection to a cluster, kept while it lasts: its link, its Dask client, and the big variables put on it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import weakref
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from ... import home, places
from ...agent import buffers
from ...core.errors import ClusterEnded, ClusterUnreachable
from ...core.naming import ClusterName
from ...home import variables
from ...home.clusters import ClusterFolder
from ..packages.workers import WorkerPackages
from ..send.payload import RunPayload
from .listing import list_clusters

if TYPE_CHECKING:
    from distributed import Client, Future

    from ...controller.link import Link
    from ...core.cluster import ClusterState
    from ...places.base import Backend

#: Big variables that stay on a cluster for the next runs.
BIGS = 8


class Session:
    """Everything that this process has open to one cluster. Lives on the loop thread's loop."""

    def __init__(self, state: ClusterState, backend: Backend, link: Link, client: Client) -> None:
        self.name, self.id, self.mine = state.name, state.id, state.mine
        self.backend, self.link, self.client = backend, link, client
        self.client_keys = _texts_of(client.security)
        self._bigs: OrderedDict[str, Future[Any]] = OrderedDict()
        self.packages = WorkerPackages(state.name, client)

    @property
    def alive(self) -> bool:
        """Whether it still answers, as far as is known."""
        return str(self.client.status) == "running"

    async def close(self) -> None:
        """Let go of the cluster, which lives on."""
        self._bigs.clear()
        await self.client.close()
        await self.link.close()

    async def put(self, payload: RunPayload, everywhere: bool, anew: bool = False) -> list[Future[Any]]:
        """Put the payload's big variables on the cluster, those that aren't there yet.

        `everywhere`: on all workers; `anew`: again, since a worker that had one died.
        """
        futures = []
        for big in payload.bigs:
            digest = _digest(big)
            future = self._bigs.pop(digest, None)
            if future is None or anew or future.status not in ("pending", "finished"):
                future = await self._scatter(big, everywhere)
                self._drop_with(big, digest)
            self._bigs[digest] = future
            futures.append(future)
        while len(self._bigs) > BIGS:
            self._bigs.popitem(last=False)
        return futures

    async def _scatter(self, big: Any, everywhere: bool) -> Future[Any]:
        await self._worker()
        key = variables.new_key()
        put: dict[str, Future[Any]] = await self.client.scatter(
            {key: await asyncio.to_thread(self._packed, big, key)}, broadcast=everywhere
        )
        return put[key]

    def _packed(self, big: Any, key: str) -> bytes | str:
        """What stands for `big` on the cluster: the path of a file where its workers can read that, else all of it."""
        pieces = [big] if isinstance(big, bytes) else buffers.pieces(big)
        if self.backend.writes_home:
            folder = ClusterFolder(home.clusters_dir() / self.name)
            with contextlib.suppress(OSError):  # the disk is full, say: then it travels
                return str(variables.write(folder, key, pieces))
        return big if isinstance(big, bytes) else b"".join(pieces)

    async def _worker(self) -> None:
        """Wait for a worker; one that has none at rest makes one for a task that waits."""
        if not await self.client.nthreads():
            waking = self.client.submit(int, key=f"mlops-wake-{id(self)}")
            try:
                await self.result(waking)
            finally:  # a run that is cancelled wants no worker any more
                waking.release()

    async def result(self, future: Future[Any]) -> Any:
        """What `future` gave, or raises what it raised; every result comes through here.

        Whoever waits may be cancelled; the fetch goes on. Dask fetches several results at once: a fetch that is
        cancelled takes along the others, and one that is cancelled before it began is waited for by all that come
        later, so that the client never gives a result again.
        """
        fetch = asyncio.ensure_future(future.result())
        fetch.add_done_callback(_retrieved)
        return await asyncio.shield(fetch)

    def _drop_with(self, big: Any, digest: str) -> None:
        """Let the cluster forget it when the kernel does."""
        loop = asyncio.get_running_loop()

        def forget() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._bigs.pop, digest, None)

        try:
            weakref.finalize(big, forget).atexit = False
        except TypeError:  # bytes: they go when others come
            return


def _texts_of(security: Any) -> dict[str, str] | None:
    """The clients' key as texts, for code in workers that is to be a client; None where it is in files, which workers
    on this machine read themselves."""
    if not security.tls_client_key or "\n" not in security.tls_client_key:
        return None
    return {"ca": security.tls_ca_file, "cert": security.tls_client_cert, "key": security.tls_client_key}


def _retrieved(fetch: asyncio.Future[Any]) -> None:
    """Nobody may be waiting any more: then asyncio must not tell of its error under some later cell."""
    if not fetch.cancelled():
        fetch.exception()


def _digest(big: Any) -> str:
    if isinstance(big, bytes):
        return hashlib.blake2b(big, digest_size=16).hexdigest()
    from dask.base import tokenize

    return str(tokenize(big))


class Sessions:
    """The open sessions of one process, by the ids of their clusters."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._opening: dict[str, asyncio.Lock] = {}

    def opened(self, name: str) -> Session | None:
        """The session of the cluster that `name` means, if there is one that answers.

        Of this user's own clusters, the only open one of a name is meant by it; one of others has to be named exactly.
        """
        asked = ClusterName.of(name)
        found = [session for cluster, session in self._sessions.items() if asked.means(cluster) and session.alive]
        if len(found) == 1 and (asked.uid or found[0].mine):
            return found[0]
        return None

    async def open(self, name: str, timeout: float = 60.0) -> Session:
        """The session of the cluster that `name` means, made when there is none.

        Raises
        ------
        UnknownCluster, AmbiguousName : as `Listing.named`.
        ClusterEnded, StartFailed, ClusterUnreachable : as `Backend.link`.
        """
        if (opened := self.opened(name)) is not None:
            return opened
        state = (await list_clusters()).named(name)
        async with self._opening.setdefault(state.id, asyncio.Lock()):
            known = self._sessions.get(state.id)
            if known is not None and known.alive:
                return known
            if known is not None:
                del self._sessions[state.id]
                await known.close()
            made = self._sessions[state.id] = await connect(state, timeout)
            return made

    @contextlib.asynccontextmanager
    async def link(self, name: str) -> AsyncIterator[Link]:
        """The link of the session of `name`, which stays open afterwards. Raises as `open`."""
        yield (await self.open(name, 30.0)).link

    async def close(self, name: str) -> None:
        """Close the sessions of clusters that `name` may mean, if there are any."""
        asked = ClusterName.of(name)
        for cluster in [cluster for cluster in self._sessions if asked.means(cluster)]:
            await self._sessions.pop(cluster).close()


async def connect(state: ClusterState, timeout: float, only_sends: bool = False) -> Session:
    """A connection of the caller's own, which the caller closes; raises as `Sessions.open`.

    `only_sends` : results and errors stay pickled, since the caller is no kernel.
    """
    from distributed import Client

    from .deaf import deaf

    name = state.name
    if state.phase in ("ended", "stopping"):
        raise ClusterEnded(f"The cluster {name!r} has stopped", state.cause or "", "Start another, or name a live one.")
    backend = places.get(state.place)
    link = await backend.link(state.id, timeout)
    try:
        address = await backend.address(state.id, timeout)
        client = await Client(
            deaf(address.url) if only_sends else address.url,
            security=address.security,
            asynchronous=True,
            set_as_default=False,
            timeout=timeout,
            direct_to_workers=backend.direct_workers and not only_sends,
        )
    except BaseException as error:
        await link.close()
        if isinstance(error, (OSError, TimeoutError)):
            raise ClusterUnreachable(f"The scheduler of {name!r} doesn't answer", str(error), "") from error
        raise
    return Session(state, backend, link, client)
