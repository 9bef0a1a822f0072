"""A cluster that a stranger put into the namespace: whoever watches is safe, and says nothing to it unasked."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main as cli
from jupyter_mlops.core.errors import UnknownRun
from jupyter_mlops.notebook.panel.watch import PanelWatch, Seen

from ..evil import FakeScheduler, pickled
from ..kubernetes.api import StoringApi, storing_api
from .conftest import Ask

#: Seconds that anything may take on a busy machine.
PATIENCE = 150.0

LABELS = {"app": "dask", "release": "v4", "chart": "dask-2026.1.0"}


def put_release(api: StoringApi) -> None:
    """Objects like those that the chart of Dask makes, with a scheduler and a worker that run."""
    for component in ("scheduler", "worker"):
        labels, name = {**LABELS, "component": component}, f"v4-dask-{component}"
        spec: dict[str, Any] = {"containers": [{"name": component}], "nodeName": "n1"}
        api.put("deployments", {"metadata": {"name": name, "labels": labels}, "spec": {"template": {"spec": spec}}})
        status = {
            "phase": "Running",
            "podIP": "127.0.0.1",
            "containerStatuses": [{"ready": True, "state": {"running": {}}}],
        }
        owner = {"kind": "ReplicaSet", "name": f"{name}-77ab", "uid": "1"}
        labels = {**labels, "pod-template-hash": "77ab"}
        metadata = {"name": f"{name}-77ab-xyz", "labels": labels, "ownerReferences": [owner]}
        api.put("pods", {"metadata": metadata, "spec": spec, "status": status})


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """What is there once the stranger's code has run here."""
    return tmp_path / "marker"


@pytest.fixture
def stranger(home: Path, marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeScheduler]:
    """What is to listen where the scheduler's Service leads, as seen from a pod."""
    resolve = socket.getaddrinfo
    with storing_api() as api:
        put_release(api)
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        fake = FakeScheduler(pickled(marker))

        def inside(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
            known = host == f"v4-dask-scheduler.{api.namespace}.svc"
            return resolve(*(("127.0.0.1", fake.port) if known else (host, port)), *args, **kwargs)

        monkeypatch.setattr(socket, "getaddrinfo", inside)
        yield fake


async def until(look: Callable[[], Any]) -> Any:
    """What `look` gives once it is something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.05)
    return found


async def test_watching_neither_asks_a_stranger_nor_runs_its_code(
    stranger: FakeScheduler, marker: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    async with stranger.listening():
        await _watched(ask, capsys)
        assert (stranger.callers, stranger.asked) == (0, [])

        # a person opens its details
        assert [row["name"] for row in await ask("GET", "clusters/v4/workers")] == ["default-xyz"]
        await until(lambda: "identity" in stranger.asked)
        # and asks for a command and a connection
        assert await asyncio.to_thread(cli, ["scale", "v4", "2"]) == 0
        with pytest.raises(mlops.errors.AnswerRefused):
            await asyncio.to_thread(lambda: mlops.run(sum, [1], cluster="v4").result())
        assert not marker.exists()


async def _watched(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    """All windows have looked at it."""
    deadline = time.monotonic() + PATIENCE
    while not (found := await ask("GET", "clusters")) or found[0]["counts"]["idle"] != 1:
        assert time.monotonic() < deadline, found
    assert (found[0]["name"], found[0]["phase"], found[0]["maker"]) == ("v4", "running", "kubectl")
    assert await asyncio.to_thread(cli, ["list"]) == 0
    assert "v4" in capsys.readouterr().out
    seen: list[Seen] = []
    watch = PanelWatch(seen.append, lambda error: None)
    await asyncio.to_thread(watch.start, "v4")
    await until(lambda: seen and seen[-1].state and seen[-1].state.counts.idle)
    await asyncio.to_thread(watch.close)
    with pytest.raises(UnknownRun):  # somebody looks for a run that isn't known here
        await asyncio.to_thread(mlops.get_run, "abcdef123456")
