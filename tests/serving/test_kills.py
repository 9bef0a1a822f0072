"""Processes of a service that are killed, or hang, while callers ask: who gets no answer is told so, others get theirs,
and it is back by itself, or once it is deployed."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jupyter_mlops as mlops
from jupyter_mlops.core.service import ServiceSpec
from jupyter_mlops.home.models import model_folder
from jupyter_mlops.home.services import ServiceFolder, service_folder
from jupyter_mlops.serving.fleet import Fleet

from .conftest import CALLERS, ROW, Caller, asking, load, until


def test_a_replica_that_hangs_under_load_costs_what_it_was_asked_and_is_replaced(home: Path) -> None:
    service = mlops.deploy("churn@1", name="hangs", replicas=2, patience="3 s")
    victim = service.state.replicas[0].pid
    assert victim is not None
    try:
        with load(service) as heard:
            until(lambda: heard.total() > 20)
            os.kill(victim, signal.SIGSTOP)
            until(lambda: any("is gone; another takes its place" in line for line in service.logs()))
            until(lambda: [each.phase for each in service.state.replicas if each.pid != victim] == ["ready", "ready"])
            late = sum(number for (status, _), number in heard.items() if status == 504)
            seen = heard.total()
            until(lambda: heard.total() > seen + 50)
        assert {status for status, _ in heard} <= {200, 504}, heard
        assert 1 <= late <= CALLERS and late == sum(n for (status, _), n in heard.items() if status == 504)
    finally:
        os.kill(victim, signal.SIGCONT) if victim in [each.pid for each in service.state.replicas] else None
        service.stop()


@contextmanager
def patient(service: mlops.Service, back: threading.Event) -> Iterator[Counter[tuple[bool, int]]]:
    """Callers that try again over a new connection, as clients do: whether they asked after it was back, and the status
    they heard, or 0 where nobody answered."""
    heard: Counter[tuple[bool, int]] = Counter()
    lock = threading.Lock()

    def ask(over: threading.Event) -> None:
        call = Caller(service)
        while not over.wait(0.05):
            after = back.is_set()
            try:
                status = call("POST", "/predict", ROW).status
            except (OSError, http.client.HTTPException):
                status = 0
            with lock:
                heard[after, status] += 1

    with asking(ask):
        yield heard


def test_a_router_that_is_killed_under_load_answers_again_once_it_is_deployed(home: Path) -> None:
    """At its address, to the same callers. Who asks meanwhile finds nobody, or hears that it isn't ready: at once, and
    nothing that is wrong."""
    service, back = mlops.deploy("churn@1", name="killed"), threading.Event()
    try:
        with patient(service, back) as heard:
            until(lambda: heard[False, 200] > 20)
            os.kill(json.loads(service_folder("killed").router_file.read_text())["process"]["pid"], signal.SIGKILL)
            until(lambda: service.state.phase == "dead" and heard[False, 0] > 2 * CALLERS)
            assert mlops.deploy("churn@1", name="killed").address == service.address
            back.set()
            until(lambda: heard[True, 200] > 50)
        assert {status for after, status in heard if after} == {200}, heard
        assert {status for _, status in heard} <= {200, 503, 0}, heard
    finally:
        service.stop()


async def test_a_replica_that_is_replaced_while_fewer_are_wanted_isn_t_one_too_many(home: Path, tmp_path: Path) -> None:
    digest = model_folder("churn").version(1).record().digest
    told = {"model": "churn", "version": 1, "digest": digest, "owner": "me", "created": 1.0}
    spec = ServiceSpec(name="fleet", replicas=2, **told)
    fleet = Fleet(spec, ServiceFolder(tmp_path / "fleet").make(), print, lambda _: None)

    async def wait(so: Callable[[], bool]) -> None:
        async def look() -> None:
            while not so():  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0.01)

        await asyncio.wait_for(look(), 60)

    await fleet.start()
    try:
        gone = fleet.replicas[0]
        pid = gone.state().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await wait(lambda: gone not in fleet.replicas and len(fleet.replicas) == 2)
        await fleet.resize(1)
        await wait(lambda: [each.phase for each in fleet.replicas] == ["ready"])
    finally:
        await fleet.end()
