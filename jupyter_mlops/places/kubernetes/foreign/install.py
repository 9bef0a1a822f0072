"""Installs the book of runs in foreign schedulers, and asks it for news: the caller's side of `runbook.py`."""

from __future__ import annotations

import functools
import io
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ....core.base import Record, Seconds, read_record
from ....core.cluster import ClusterSpec, Problem
from ....core.errors import ClusterUnreachable, Unavailable, Unreadable, VersionMismatch
from ....core.run import RunState
from ..records import start
from .discover import Discovered
from .scheduler import ForeignScheduler

_T = TypeVar("_T")

#: Seconds to install the book: its scheduler imports pydantic for the first time; and for what is asked before and
#: after that, by somebody who waits for a run, and not for a list.
INSTALLING: Seconds = 60.0
ANSWERING: Seconds = 10.0

#: Where the scheduler's metadata say that the book is there.
_KEY = "jupyter-mlops"
#: And what keeps it from being there.
_REFUSED = "jupyter-mlops-refused"

_ROOT = Path(__file__).resolve().parents[4]
#: What travels: folders whole, and the files that lead to the book.
_FOLDERS = ("core", "home", "agent", "controller")
_FILES = (
    "__init__.py",
    "_version.py",
    "places/__init__.py",
    "places/kubernetes/__init__.py",
    "places/kubernetes/foreign/__init__.py",
    "places/kubernetes/foreign/runbook.py",
)


class RunEvent(Record):
    """What happened to a run."""

    text: str
    run: str
    problem: Problem | None = None


@dataclass(frozen=True)
class RunNews:
    """Runs that changed, and what happened to runs."""

    seq: int = 0
    runs: list[RunState] = field(default_factory=list)
    events: list[RunEvent] = field(default_factory=list)

    def followed_by(self, later: RunNews) -> RunNews:
        """This, and what came later."""
        return RunNews(later.seq, self.runs + later.runs, self.events + later.events)


async def run_news(scheduler: ForeignScheduler, since: int) -> RunNews:
    """What the book of runs has after `since`; nothing where there is no book. Raises `ClusterUnreachable`."""
    if not await scheduler.ask("get_metadata", keys=[_KEY], default=None):
        return RunNews(since)  # asking a scheduler for what it doesn't know would fill its log
    answer = await scheduler.ask("mlops_guest", since=since)
    news = answer.get("ok") if isinstance(answer, Mapping) else None
    return RunNews(since) if news is None else _news(news, since)


def _news(answer: Mapping[str, Any], since: int) -> RunNews:
    """The answer of a book of runs, which may be another version's: what can't be read of it is left out."""
    runs = [_or_none(RunState, run) for run in answer.get("runs") or []]
    events = [_or_none(RunEvent, event) for event in answer.get("events") or []]
    return RunNews(
        int(answer.get("seq", since)),
        [run for run in runs if run is not None],
        [event for event in events if event is not None],
    )


def _or_none(kind: type[_T], data: object) -> _T | None:
    try:
        return read_record(kind, data)
    except Unreadable:
        return None


async def install(scheduler: ForeignScheduler, cluster: Discovered, spec: ClusterSpec) -> None:
    """Make `scheduler` ready for runs. A no-op when it is.

    Raises
    ------
    VersionMismatch : its Python or Dask is another one.
    Unavailable : it lacks a package that our code needs, or can't be changed.
    ClusterUnreachable : it doesn't answer.
    """
    code, archive = packed()
    objects = {group.object: group.name for group in cluster.groups}
    there = await scheduler.ask("get_metadata", ANSWERING, keys=[_KEY], default=None)
    if isinstance(there, Mapping) and (there.get("code"), there.get("objects")) == (code, objects):
        return
    if isinstance(there, Mapping) and there.get("code") == code:  # it lives on, with its runs
        await scheduler.ask("mlops_guest_groups", ANSWERING, spec=spec.model_dump_json(), objects=objects)
        return
    _compare(await scheduler.ask("versions", ANSWERING), cluster.name)
    package = f"{start.PACKAGE}_{code}"
    refused = await _run(scheduler, cluster.name, archive, package, spec.model_dump_json(), objects, code, _REFUSED)
    if refused:
        raise Unavailable(
            f"The scheduler of {cluster.name!r} can't keep runs",
            refused,
            "Put pydantic into its image; in Dask's own, EXTRA_PIP_PACKAGES=pydantic in its environment does.",
        )


@functools.lru_cache(maxsize=1)
def packed() -> tuple[str, bytes]:
    """The code that travels: its fingerprint, and a zip file in which the package is named after that."""
    package = _ROOT / start.PACKAGE
    paths = [package / name for name in _FILES]
    paths += [path for folder in _FOLDERS for path in (package / folder).rglob("*.py")]
    names = sorted(str(path.relative_to(_ROOT)) for path in paths)
    code = start.fingerprint(_ROOT, names)[:12]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.write(_ROOT / name, name.replace(start.PACKAGE, f"{start.PACKAGE}_{code}", 1))
    return code, buffer.getvalue()


def _compare(there: Any, cluster: str) -> None:
    """Raise `VersionMismatch` where code of ours would not run, or messages not be understood."""
    from distributed import versions

    packages = there.get("packages", {}) if isinstance(there, Mapping) else {}
    own = {
        "python": ".".join(map(str, sys.version_info[:3])),
        "distributed": str(versions.get_versions()["packages"]["distributed"]),
    }
    for name, here in own.items():
        other = str(packages.get(name, "")).removesuffix(".final.0")
        if here.split(".")[:2] != other.split(".")[:2]:
            raise VersionMismatch(
                f"{name.capitalize()} differs between this kernel and the scheduler of {cluster!r}",
                f"{here} here, {other or 'unknown'} there",
                "Use a kernel with the versions of its image, or give it an image with those of this kernel.",
            )


async def _run(scheduler: ForeignScheduler, cluster: str, *arguments: Any) -> str:
    """Let the scheduler load our code; what keeps it from that, if anything does."""
    from distributed.protocol.pickle import dumps

    # what the function returns or raises would be a pickle of that scheduler's: it leaves its reason where one can read
    sent = {"function": dumps(_load_run_book), "args": dumps(arguments)}
    answer = await scheduler.ask("run_function", INSTALLING, leave_out=True, **sent)
    if not isinstance(answer, Mapping):
        raise ClusterUnreachable(f"The scheduler of {cluster!r} doesn't take our code", "it runs nothing for clients")
    if answer.get("status") != "OK":
        return str(answer.get("exception_text") or answer.get("text") or "it failed without a reason")
    return str(await scheduler.ask("get_metadata", ANSWERING, keys=[_REFUSED], default="") or "")


async def _load_run_book(
    archive: bytes,
    package: str,
    spec: str,
    objects: dict[str, str],
    code: str,
    refused: str,
    dask_scheduler: Any = None,
) -> None:
    """What the foreign scheduler runs. Travels by value, so it may use nothing of this module."""
    import asyncio
    import importlib
    import io
    import sys
    import tempfile
    import zipfile

    def load() -> Any:
        if package not in sys.modules:
            folder = tempfile.mkdtemp(prefix="jupyter-mlops-")
            with zipfile.ZipFile(io.BytesIO(archive)) as packed:
                packed.extractall(folder)
            sys.path.append(folder)
        return importlib.import_module(f"{package}.places.kubernetes.foreign.runbook")

    why = ""
    try:
        runbook = await asyncio.to_thread(load)
    except ImportError as error:
        why = f"it has no {error.name}" if error.name else str(error)
    except OSError as error:
        why = f"our code can't be written there: {error}"
    dask_scheduler.set_metadata(keys=[refused], value=why)
    if not why:
        await runbook.start(dask_scheduler, spec, objects, code)


_load_run_book.__module__ = "__main__"  # so that it travels by value
