"""joblib's work on a cluster: `with joblib.parallel_config("mlops"):` makes a run of each of its calls.

scikit-learn's cross-validation, searches and ensembles go through joblib. What they do has progress, cost and a history
this way, and can be cancelled. Their tables are put on the cluster once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from joblib.parallel import (  # type: ignore[import-untyped]  # it has no types
    ParallelBackendBase,
    SequentialBackend,
)

from ...core.run import FINAL
from ..clusters.choose import choose
from ..clusters.kernel import loop_thread
from ..send.payload import ship_function
from ..send.pickling import size_of
from ..words import tell
from .execution.feeding import FedBatch, Feed
from .launch import launch
from .options import Options
from .origin import origin_of_kernel
from .run import Run

#: Batches that joblib hands in at once, unless it is told otherwise, and with this back end.
PRE_DISPATCH, MORE = "2*n_jobs", "8*n_jobs"

#: Bytes of an argument from which on it is put on the cluster once.
HELD = 100_000


class MlopsBackend(ParallelBackendBase):  # type: ignore[misc]  # joblib has no types
    """A joblib back end.

    Parameters
    ----------
    cluster, group, name : as for `%%mlrun`.
    """

    supports_retrieve_callback = True
    supports_sharedmem = False
    default_n_jobs = -1

    def __init__(
        self,
        cluster: str | None = None,
        group: str | None = None,
        name: str | None = None,
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads, **options)
        self._cluster, self._group, self._name = cluster, group, name
        self._most: int | None = None
        self._call: _Call | None = None
        self._starting = threading.Lock()

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """As joblib's: the threads of the cluster, which is chosen now, or `n_jobs` of them. Of 1 joblib would make a
        loop of its own, here: a cluster that has only one thread, or none yet, counts as two."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        session = loop_thread().call(choose(self._cluster, tell, None, self._group))
        self._cluster = session.id
        threads = max(2, sum(loop_thread().call(_threads(session)).values()))
        return threads if n_jobs is None or n_jobs < 0 else min(n_jobs, threads)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
        """As joblib's. Unless its user says how many batches are handed in before others are answered, there are enough
        to share tasks."""
        self.parallel = parallel
        if parallel is not None and str(parallel.pre_dispatch).replace(" ", "") == PRE_DISPATCH:
            parallel.pre_dispatch = MORE
        self._most = n_jobs if n_jobs is not None and n_jobs > 0 else None
        return self.effective_n_jobs(n_jobs)

    def compute_batch_size(self) -> int:
        """As joblib's: calls of the next batch. It goes by what those before took on their workers; joblib itself goes
        by when they came back, and so takes waiting for work."""
        call = self._call
        return call.batch_size() if call is not None else 1

    def submit(self, func: Any, callback: Callable[[Any], None] | None = None) -> Any:
        """As joblib's: `func` is a batch of calls."""
        with self._starting:
            if self._call is None:
                options = Options(cluster=self._cluster, group=self._group, name=self._name)
                self._call = _Call(func.items, options, self._most)
        return self._call.submit(func.items, callback)

    def retrieve_result_callback(self, out: Any) -> Any:
        """As joblib's: what a batch gave, or raises what it raised."""
        if isinstance(out, BaseException):
            raise out
        return out

    def stop_call(self) -> None:
        """As joblib's: no more calls come."""
        call, self._call = self._call, None
        if call is not None:
            call.end()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """As joblib's: one of the calls raised, or somebody interrupted."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def get_nested_backend(self) -> tuple[Any, int | None]:
        """As joblib's: what a call does itself in parallel, it does one by one."""
        return SequentialBackend(nesting_level=(self.nesting_level or 0) + 1), None


class _Call:
    """One call of joblib's `Parallel`, as a run."""

    def __init__(self, calls: list[Any], options: Options, most: int | None) -> None:
        self._held = _Held(calls)
        self._feed = Feed(most)
        name = options.name or _name_of(calls[0][0])
        payload = ship_function(_performer(self._held.objects), name, "map", tell)
        self._run: Run = launch(
            payload,
            self._feed,
            Options(**{**vars(options), "name": name, "on_error": "raise"}),
            origin_of_kernel(),
            tell,
        )

    def submit(self, calls: list[Any], callback: Callable[[Any], None] | None) -> None:
        """Send some more."""
        items = [self._held.without(*call) for call in calls]
        self._feed.put(FedBatch(items, callback or (lambda _: None)))

    def batch_size(self) -> int:
        """Calls of the next batch."""
        return self._feed.size

    def end(self) -> None:
        """No more come: the run ends with those that are under way."""
        self._feed.put(None)
        self._run.wait()

    def cancel(self) -> None:
        """Nobody wants the others any more."""
        if self._run.state not in FINAL:
            self._run.cancel("joblib needs the others no more")
        self._feed.put(None)


class _Held:
    """The large arguments of calls, which are put on the cluster once."""

    def __init__(self, calls: list[Any]) -> None:
        arguments = [each for _, args, kwargs in calls for each in (*args, *kwargs.values())]
        large = {id(each): each for each in arguments if size_of(each) >= HELD}
        self.objects = list(large.values())
        self._numbers = {identity: number for number, identity in enumerate(large)}

    def without(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """A call without them: what stands in their places is filled in where it is executed."""
        if not self._numbers:
            return function, args, kwargs, ()
        given: dict[Any, Any] = {**dict(enumerate(args)), **kwargs}
        places = [(place, self._numbers[id(each)]) for place, each in given.items() if id(each) in self._numbers]
        named = {place for place, _ in places}
        return (
            function,
            [None if place in named else each for place, each in enumerate(args)],
            {name: each for name, each in kwargs.items() if name not in named},
            places,
        )


def _performer(held: list[Any]) -> Callable[[Any], Any]:
    """Executes a call on a worker; it travels by value."""

    def perform(call: Any) -> Any:
        import joblib  # type: ignore[import-untyped]  # it has no types

        function, args, kwargs, places = call
        for place, number in places:
            (args if isinstance(place, int) else kwargs)[place] = held[number]
        with joblib.parallel_config(backend="sequential"):
            return function(*args, **kwargs)

    return perform


def _name_of(function: Any) -> str:
    """What the run is called: "fit and score"."""
    inner = getattr(function, "function", function)  # scikit-learn wraps it
    return str(getattr(inner, "__name__", "joblib")).strip("_").replace("_", " ")


async def _threads(session: Any) -> dict[str, int]:
    threads: dict[str, int] = await session.client.nthreads()
    return threads
