"""The client of who only sends: a scheduler, or a worker behind it, runs no code in its process."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster
from distributed.comm import connect

from jupyter_mlops.client.clusters.deaf import deaf, heard

from ..evil import GREETING, FakeScheduler, Touch, pickled, serialized


@pytest.mark.parametrize("evil", [pickled, serialized])
@pytest.mark.parametrize("greets", [True, False])
async def test_what_answers_in_a_schedulers_place_runs_nothing(
    evil: Callable[..., bytes], greets: bool, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    greeting = evil(marker, lambda member: {**GREETING, "more": member})
    answer = evil(marker, lambda member: [{"op": "stream-start", "status": "OK", "more": member}])
    fake = FakeScheduler(answer, greeting) if greets else FakeScheduler(answer)
    async with fake.listening():
        with contextlib.suppress(OSError):  # what it greets with is no greeting
            comm = await connect(deaf(f"tcp://127.0.0.1:{fake.port}"), timeout=5)
            await comm.write({"op": "register-client"})
            await comm.read()
            comm.abort()
    assert fake.callers and not marker.exists()


def test_what_a_client_would_unpickle_is_left_out(tmp_path: Path) -> None:
    """Workers say the type of a result and what they raised, which the scheduler passes on."""
    evil = pickle.dumps(Touch(tmp_path / "marker"))
    told: list[dict[str, Any]] = [
        {"op": "key-in-memory", "key": "a", "type": evil},
        {"op": "task-erred", "key": "b", "exception": evil, "traceback": evil},
        {"op": "event", "topic": "warn", "event": {"category": evil, "message": evil}},
    ]
    assert evil not in [value for message in heard(told) for value in message.values()]
    assert [message["op"] for message in heard(told)] == ["key-in-memory", "task-erred"]
    failed = heard({"status": "uncaught-error", "exception": evil, "traceback": evil, "exception_text": "why"})
    assert str(failed["exception"]) == "why" and "traceback" not in failed


async def test_it_sends_and_knows_what_is_done() -> None:
    async with LocalCluster(n_workers=1, processes=False, asynchronous=True, dashboard_address=":0") as cluster:
        address = deaf(cluster.scheduler_address)
        assert address == cluster.scheduler_address  # what is in this process needs no connection
    async with (
        LocalCluster(
            n_workers=1, processes=False, protocol="tcp", host="127.0.0.1", asynchronous=True, dashboard_address=":0"
        ) as cluster,
        Client(
            deaf(cluster.scheduler_address), asynchronous=True, set_as_default=False, direct_to_workers=False
        ) as client,
    ):
        put = await client.scatter(b"sent", hash=False)
        done, failed = client.submit(len, put), client.submit(len, 5)
        await asyncio.gather(done.result(), failed.result(), return_exceptions=True)
        assert (done.status, failed.status) == ("finished", "error")
        assert "the reason is in the log" in str(await failed.exception())
