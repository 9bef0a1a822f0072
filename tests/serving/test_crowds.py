"""Callers that are too many, or send too much: others are answered as before, and each hears why, if it can."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.home.services import service_folder

from .conftest import PATIENCE, ROW, Caller, Heard, until

#: Connections that are open at a time, and files that this process and the router need beside them.
CROWD, FILES = 10_000, 500

MB = 1_000_000


@contextmanager
def files(number: int) -> Iterator[int]:
    """This process may open so many files, or as many as the system allows: how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = number if hard == resource.RLIM_INFINITY else min(number, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, soft), hard))
    try:
        yield most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def router_of(service: mlops.Service) -> psutil.Process:
    record = json.loads(service_folder(service.name).router_file.read_text())
    return psutil.Process(record["process"]["pid"])


def opened(service: mlops.Service, number: int) -> list[socket.socket]:
    """Connections over which nothing is asked."""
    where = urlsplit(service.address)
    return [socket.create_connection((where.hostname, where.port or 0), timeout=PATIENCE) for _ in range(number)]


def connected(service: mlops.Service) -> int:
    """Open connections, as the service counts them."""
    told = Caller(service)("GET", "/metrics").told
    return int(float(next(line.split()[-1] for line in told.splitlines() if line.startswith("mlops_connections{"))))


def asked(service: mlops.Service) -> float:
    """Seconds to an answer, with the connection."""
    began = time.monotonic()
    assert Caller(service)("POST", "/predict", ROW).status == 200
    return time.monotonic() - began


def test_ten_thousand_connections_keep_nobody_from_asking(home: Path) -> None:
    """Whether the service may have so many or not; its replicas are replaced meanwhile, and afterwards all is as it
    was."""
    service = mlops.deploy("churn", name="crowd", connections=CROWD + FILES)
    router = router_of(service)
    try:
        before = router.num_fds()
        with files(CROWD + 2 * FILES) as most, contextlib.ExitStack() as crowd:
            number = min(CROWD, most - 2 * FILES)  # it is as many as the system allows
            for each in opened(service, number):
                crowd.enter_context(each)
            until(lambda: connected(service) > number)
            assert sorted(asked(service) for _ in range(21))[10] < 1
            victim = service.state.replicas[0].pid
            assert victim is not None
            os.kill(victim, signal.SIGKILL)
            until(lambda: [each.phase for each in service.state.replicas if each.pid != victim] == ["ready"])

            mlops.deploy("churn", name="crowd", connections=100)
            until(lambda: Caller(service)("GET", "/v2").status == 200)
            with Caller(service) as call:
                for _ in range(20):
                    assert call("POST", "/predict", ROW).status == 200, "who asks has room made by who doesn't"
                    crowd.enter_context(opened(service, 1)[0])
            assert router.num_fds() < before + number + FILES
        until(lambda: connected(service) == 1)
        until(lambda: router.num_fds() <= before + 5)
    finally:
        service.stop()


def test_who_asks_is_not_sent_away_for_who_comes_later(home: Path) -> None:
    service = mlops.deploy("churn", name="full", connections=10)
    try:
        with contextlib.ExitStack() as open_:
            first = [open_.enter_context(Caller(service)) for _ in range(10)]
            assert {call("GET", "/v2").status for call in first} == {200}
            heard = Caller(service)("POST", "/predict", b" " * 10 * MB)
            assert heard.status == 503 and "10 open connections" in heard.error and heard.headers["Retry-After"]
            assert {call("POST", "/predict", ROW).status for call in first} == {200}
        until(lambda: Caller(service)("GET", "/v2").status == 200)
    finally:
        service.stop()


def chunked(megabytes: int) -> Iterator[bytes]:
    for _ in range(megabytes):
        yield b" " * MB


@pytest.mark.parametrize("length", [True, False])
def test_bodies_that_are_too_large_are_refused_at_once_and_kept_nowhere(service: mlops.Service, length: bool) -> None:
    """Also many of them at the same time, and of unknown length; who asks little is answered meanwhile."""
    router = router_of(service)
    largest, over = router.memory_info().rss, threading.Event()

    def send(_: int) -> Heard:
        call = Caller(service)
        if length:
            return call("POST", "/predict", b" " * 100 * MB)
        call.send_parts("/predict", chunked(100))
        return call.hear()

    def watch() -> int:
        most = 0
        while not over.wait(0.01):
            most = max(most, router.memory_info().rss)
        return most

    with ThreadPoolExecutor(9) as threads:
        seen = threads.submit(watch)
        asked = [threads.submit(send, each) for each in range(8)]
        assert Caller(service)("POST", "/predict", ROW).status == 200
        heard = [each.result() for each in asked]
        over.set()
    assert {each.status for each in heard} == {413} and "The body is larger than 16 MB" in heard[0].error
    assert seen.result() < largest + 200 * MB, "none of the 800 MB was kept"


def test_who_is_refused_hears_it_before_all_is_sent(service: mlops.Service) -> None:
    where, token = urlsplit(service.address), service.token()
    for head, status in (
        (f"Authorization: Bearer {token}\r\nContent-Length: 100000000000", b"413 "),
        (f"Authorization: Bearer {token}\r\nContent-Length: 100000000\r\nExpect: 100-continue", b"413 "),
        ("Authorization: Bearer of nobody\r\nContent-Length: 1000", b"401 "),
    ):
        with socket.create_connection((where.hostname, where.port or 0), timeout=PATIENCE) as caller:
            caller.sendall(f"POST /predict HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
            assert caller.recv(1000).startswith(b"HTTP/1.1 " + status), head
