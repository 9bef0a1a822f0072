"""The folder of a service, and what its router makes of it: no process is started here."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_mlops import home
from jupyter_mlops.core.errors import Conflict, Unavailable
from jupyter_mlops.core.service import MOST_CALLERS, CallerToken, CallerTokens, ServiceSpec, ServiceState
from jupyter_mlops.home.services import CALLERS, ServiceFolder, service_folder
from jupyter_mlops.places.local import processes
from jupyter_mlops.places.local.hosting import LocalHosting
from jupyter_mlops.places.local.whereabouts import here
from jupyter_mlops.serving import replica_process
from jupyter_mlops.serving.fleet import Fleet
from jupyter_mlops.serving.frames import PREDICT, Frame
from jupyter_mlops.serving.replica_process import ReplicaProcess
from jupyter_mlops.serving.router import ServiceRouter


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServiceFolder:
    """Of a service that stopped long ago."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path))
    made = service_folder("churn").make()
    made.write_spec(_spec())
    made.write_state(ServiceState(name="churn", phase="stopped", since=1.0))
    _write_router(made)
    return made


def _write_router(folder: ServiceFolder, pid: int | None = None) -> None:
    process = None if pid is None else asdict(processes.look(pid))
    folder.router_file.write_text(json.dumps({"mark": "nobody's", "process": process, **asdict(here())}))


def _spec(patience: float = 0.3) -> ServiceSpec:
    return ServiceSpec(name="churn", model="churn", version=1, digest="", owner="me", created=1.0, patience=patience)


async def test_a_service_that_somebody_changes_is_not_removed(folder: ServiceFolder) -> None:
    hosting = LocalHosting()
    with folder.locked():  # as `deploy` does
        assert [state.name for state in await hosting.services()] == ["churn"]
        forgets = asyncio.create_task(hosting.forget("churn"))
        await until(lambda: _opened(folder.path / home.LOCK) == 2)
        folder.write_state(ServiceState(name="churn", phase="ready"))
        _write_router(folder, os.getpid())
    with pytest.raises(Conflict, match="The service 'churn' lives"):
        await forgets
    _write_router(folder)
    folder.write_state(ServiceState(name="churn", phase="stopped", since=1.0))
    assert await hosting.services() == [] and not folder.path.exists()


async def test_who_waits_for_a_folder_that_is_removed_gets_the_next_one(folder: ServiceFolder) -> None:
    has, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        with folder.locked():
            has.set()
            may_go.wait()

    with folder.locked():
        waits = asyncio.create_task(asyncio.to_thread(hold))
        await until(lambda: _opened(folder.path / home.LOCK) == 2)
        shutil.rmtree(folder.path)
    await asyncio.to_thread(has.wait)
    with pytest.raises(Unavailable), folder.locked(wait=False):
        pass
    may_go.set()
    await waits


async def test_a_fault_that_passes_shuts_nobody_out(folder: ServiceFolder) -> None:
    token, router = folder.let_in("billing"), ServiceRouter(folder)
    with _no_more_files(), pytest.raises(Unavailable, match="Nobody is let in now: the list"):
        router.caller(token)
    assert router.caller(token) == "billing"


def test_one_caller_too_many_is_told_so(folder: ServiceFolder) -> None:
    callers = [CallerToken(name=f"c{number}", digest="") for number in range(MOST_CALLERS)]
    home.write(folder.path / CALLERS, CallerTokens(callers=callers).model_dump_json())
    with pytest.raises(Conflict, match=r"'late' can't be let in to 'churn': it has 1,000 callers already. Take back"):
        folder.let_in("late")
    assert folder.let_in("c7") and folder.shut_out("c8") and folder.let_in("late")


async def test_to_wait_behind_others_is_not_to_be_stuck(folder: ServiceFolder) -> None:
    patience = 1.0
    replica = ReplicaProcess("v1-1", _spec(patience), folder, lambda: None, lambda _: None)
    ours, theirs = socket.socketpair()
    with theirs:
        await asyncio.get_running_loop().create_unix_connection(lambda: replica, sock=ours)
        first, second, third = (replica.ask(PREDICT, b"[]") for _ in range(3))
        await asyncio.sleep(1.1 * patience)
        replica.data_received(Frame(1, 200, b"[]").packed())
        replica.end_if_stuck()
        assert (await first).code == 200
        with pytest.raises(Unavailable, match=r"The service is busy: the request waited for .* behind others"):
            await second
        with pytest.raises(Unavailable):
            await third
        fourth = replica.ask(PREDICT, b"[]")
        await asyncio.sleep(1.1 * patience)
        replica.end_if_stuck()
        with pytest.raises(asyncio.TimeoutError):
            await fourth
        await replica.let_go()


async def test_who_hangs_is_asked_no_more_while_another_answers(
    folder: ServiceFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(replica_process, "time", SimpleNamespace(monotonic=lambda: now, time=time.time))
    fleet = Fleet(_spec(60), folder, lambda _: None, lambda _: None)
    asked: list[asyncio.Task[Frame]] = []

    async def ask(number: int) -> None:
        asked.extend(asyncio.create_task(fleet.ask(PREDICT, b"[]", waiting=0)) for _ in range(number))
        await until(
            lambda: sum(each.load for each in fleet.replicas) == len(asked) - sum(each.done() for each in asked)
        )

    with ExitStack() as channels:
        for name in ("hangs", "answers"):
            replica = ReplicaProcess(name, _spec(60), folder, lambda: None, lambda _: None)
            ours, theirs = socket.socketpair()
            channels.enter_context(theirs)
            await asyncio.get_running_loop().create_unix_connection(lambda replica=replica: replica, sock=ours)
            replica.phase = "ready"
            fleet.replicas.append(replica)
        hangs, answers = fleet.replicas
        await ask(4)
        assert (hangs.load, answers.load) == (2, 2)
        now += 2
        answers.data_received(Frame(1, 200, b"[]").packed())
        await ask(5)
        assert (hangs.load, answers.load) == (2, 6)
        now += 2
        await ask(4)
        assert (hangs.load, answers.load) == (6, 6), "where all are silent, each may be as good"
        for each in asked:
            each.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def _opened(path: Path) -> int:
    """How often this process has a file open."""
    return sum(str(path) in map(str, _targets(each)) for each in Path("/proc/self/fd").iterdir())


def _targets(link: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError):  # it was closed just now
        yield link.readlink()


@contextmanager
def _no_more_files() -> Iterator[None]:
    """This process can't open another file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open("/dev/null", os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
