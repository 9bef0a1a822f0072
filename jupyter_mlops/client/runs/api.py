"""`mlops.run`, `mlops.map` and the rest, as functions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any

from ...core.errors import InvalidSpec
from ...home.runs import read_runs
from ..clusters.handle import Cluster
from ..send.payload import ship_function
from ..words import tell
from .follow import find_run
from .launch import launch
from .options import OF_SIZES, Options, of_gang
from .origin import origin_of_kernel
from .run import Run


def run(fn: Callable[..., Any], /, *args: Any, cluster: str | Cluster | None = None, **options: Any) -> Run:
    """Run `fn(*args)` on a worker. Returns at once; `result()` waits for it and shows its prints.

    Parameters
    ----------
    cluster : where; as for `%%mlrun --cluster`.
    options : name, workers, group, timeout, budget, retries, detach, keep, sync, as for `%%mlrun`; others are for `fn`.

    Raises
    ------
    NotPicklable : `fn` or an argument can't travel.
    UnknownCluster, UnknownGroup, OutOfRange, VersionMismatch, StartFailed, ClusterUnreachable
    """
    own, kwargs = _split(options)
    return _call(fn, args, kwargs, cluster, own)


def map(fn: Callable[[Any], Any], items: Any, /, *, cluster: str | Cluster | None = None, **options: Any) -> Run:
    """Run `fn(item)` for each of `items`, in batches. Returns at once.

    `result()` waits and gives a list in the items' order; `results()` gives them as they come. An item that raised has
    a `FailedItem` in its place, unless `on_error="raise"`.

    Parameters
    ----------
    items : a list, range, array, table (by chunks of rows), generator (read while its results are taken), a pattern of
        file names, or a Dask collection (by partition).
    cluster : where; as for `%%mlrun --cluster`.
    options : name, workers, group, timeout, budget, retries, detach, keep, on_error, sync, as for `%%mlrun`. And those
        that have its first items tried on several numbers of workers: pilot (`True` or `"balanced"`, `"cheapest"`,
        `"fastest"`, `"ask"`), by (a time, like `"18:00"` or `"2h"`) and money, in the cluster's currency, as
        `%%mlrun --pilot`, `--by` and `--for`.

    Raises
    ------
    InvalidItems : they can't be iterated.
    NotPicklable, UnknownCluster, UnknownGroup, OutOfRange, VersionMismatch, StartFailed, ClusterUnreachable
    """
    known = (*_OPTIONS, *OF_SIZES)
    own, unknown = _split(options, known)
    if unknown:
        raise InvalidSpec(f"{next(iter(unknown))!r} is no option of a map", "", f"There are: {', '.join(known)}.")
    _check_callable(fn)
    chosen = _options(fn, cluster, own)
    payload = ship_function(fn, _source(fn), "map", _say(chosen))
    return launch(payload, items, chosen, origin_of_kernel(), _say(chosen))


def train(
    fn: Callable[..., Any],
    /,
    *args: Any,
    workers: int | tuple[int, int],
    cluster: str | Cluster | None = None,
    **options: Any,
) -> Run:
    """Run `fn(*args)` on several workers at the same time, as one program whose processes (ranks) talk to each other.

    The ranks start together or not at all, and find each other as under `torchrun`: PyTorch's
    `init_process_group()`, and what is built on it, need no more. When one of them ends too early all are ended.
    Returns at once. `result()` waits and gives what rank 0 returned, `results()` what each rank did.

    Parameters
    ----------
    workers : on how many; a cluster with fewer gets more. Or the smallest and the largest number, `(2, 8)`: it begins
        with those that can be had, goes on with fewer when one goes, and with more after a checkpoint.
    cluster : where; as for `%%mlrun --cluster`.
    options : per_worker (ranks on each worker), restarts, hang, checkpoint, fresh, resume, name, group, timeout,
        budget, detach, sync, as for `%%mlrun`; others are for `fn`.

    Raises
    ------
    NotPicklable : `fn` or an argument can't travel.
    OutOfRange : the cluster can't have so many workers.
    UnknownCluster, UnknownGroup, VersionMismatch, StartFailed, ClusterUnreachable
    """
    own, kwargs = _split(options, (*_OPTIONS, *_OF_GANGS))
    return _call(fn, args, kwargs, cluster, {**own, **_of_gang(workers)})


def runs(limit: int = 20) -> list[Run]:
    """The last runs on this machine's record, the last first."""
    return [find_run(record.id) for record in read_runs()[:limit]]


def get_run(id: str) -> Run:
    """The run of that id, from any kernel, while it goes on or after.

    Raises
    ------
    UnknownRun : nothing is known of it; a near id is suggested.
    ClusterUnreachable : a place that doesn't answer may know it.
    """
    return find_run(id)


_OPTIONS = ("name", "workers", "group", "timeout", "budget", "retries", "detach", "quiet", "keep", "on_error", "sync")
_OF_GANGS = ("per_worker", "restarts", "hang", "checkpoint", "fresh", "resume")


def _split(options: dict[str, Any], known: Collection[str] = _OPTIONS) -> tuple[dict[str, Any], dict[str, Any]]:
    own = {name: value for name, value in options.items() if name in known}
    return own, {name: value for name, value in options.items() if name not in known}


def _of_gang(workers: Any) -> dict[str, Any]:
    numbers = workers if isinstance(workers, (tuple, list)) and len(workers) == 2 else (workers,)
    if any(type(number) is not int or number < 1 for number in numbers):
        why = "it is a number of workers, or the smallest and the largest one"
        raise InvalidSpec(f"workers can't be {workers!r:.80}", why, "Write 4, or (2, 8).")
    return of_gang(workers)


def _call(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    cluster: str | Cluster | None,
    own: dict[str, Any],
) -> Run:
    """A run of `fn(*args, **kwargs)`, with the options `own`."""
    _check_callable(fn)
    call = functools.partial(fn, *args, **kwargs) if args or kwargs else fn
    chosen = _options(fn, cluster, own)
    payload = ship_function(call, _source(fn), "function", _say(chosen))
    return launch(payload, None, chosen, origin_of_kernel(), _say(chosen))


def _options(fn: Any, cluster: str | Cluster | None, own: dict[str, Any]) -> Options:
    name = getattr(fn, "__name__", "")
    named = {"name": name if name.isidentifier() else None, **own}  # a lambda has none of its own
    return Options(cluster=cluster.id if isinstance(cluster, Cluster) else cluster, **named)


def _check_callable(fn: Any) -> None:
    if not callable(fn):
        raise InvalidSpec(f"{fn!r:.80} can't be called", "the first argument is a function", "Swap the arguments?")


def _source(fn: Any) -> str:
    try:
        return inspect.getsource(inspect.unwrap(fn))
    except (OSError, TypeError):  # built in, or made by exec
        return repr(fn)


def _say(options: Options) -> Callable[[str], None]:
    return (lambda text: None) if options.quiet else tell
