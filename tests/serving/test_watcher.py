"""What a router makes of what its replicas say they have counted, whatever that is and whenever it comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.core.model import Baseline, Bins, ModelVersion
from jupyter_mlops.core.service import ServiceSpec
from jupyter_mlops.core.window import FeatureCounts, Window
from jupyter_mlops.home.models import BASELINE, model_folder
from jupyter_mlops.home.services import WANTED, ServiceFolder
from jupyter_mlops.serving import arm, router
from jupyter_mlops.serving.frames import COUNT, INFER, Frame, FrameReader
from jupyter_mlops.serving.replica_process import ReplicaProcess
from jupyter_mlops.serving.watcher import Watcher

from .conftest import PATIENCE

SPEC = ServiceSpec(name="churn", model="churn", version=1, digest="d", owner="me", created=0)

Watched = Callable[[int], tuple[Watcher, ServiceFolder]]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Makes a watcher of a service whose version has so many features."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path))

    def make(features: int) -> tuple[Watcher, ServiceFolder]:
        path = model_folder("churn").version(1).path
        path.mkdir(parents=True)
        bins = [
            Bins(name=f"f{at}", edges=[float(edge) for edge in range(21)], counts=[50] * 20) for at in range(features)
        ]
        (path / BASELINE).write_text(Baseline(rows_of="valid", rows=1000, features=bins).model_dump_json())
        folder = ServiceFolder(tmp_path / "services" / "churn").make()
        return Watcher(folder, SPEC, lambda _: None), folder

    return make


def counted(features: int, *counts: int) -> Frame:
    each = [FeatureCounts(name=f"f{at}", counts=list(counts)) for at in range(features)]
    return Frame(1, 200, Window(rows=sum(counts), features=each).model_dump_json().encode())


def test_who_could_not_count_and_can_again_is_no_problem_any_more(watched: Watched) -> None:
    watcher, folder = watched(1)

    def told(*frames: Frame) -> tuple[str, int]:
        for frame in frames:
            watcher.hear(frame)
        watcher.look()
        watch = folder.watch()
        assert watch is not None
        return "" if watch.problem is None else watch.problem.why, watch.open.rows

    good, bad = counted(1, *[5] * 20), Frame(2, 500, b"ValueError: odd")
    huge = Frame(3, 200, good.body.replace(b'"rows":100', b'"rows":' + b"9" * 400))
    assert told(good) == ("", 100)
    assert told(bad, good) == ("ValueError: odd", 200), "the other replica's are counted"
    assert told(good) == ("", 300)
    assert told(huge)[0].startswith("This replica's count can't be read") and told(good) == ("", 400)
    assert told(Frame(4, 200, b"\xff{"), Frame(5, 200, b"[]"))[0] and told(good) == ("", 500)
    for _ in range(3):
        told(Frame(6, 200, b'{"rows": 900000000000000}'))
    assert told(good)[1] >= 500, "more than can be added up is left out, and the rest goes on"


class NoFleet:
    """As a `Fleet` whose replicas are ready, but has none."""

    def __init__(self, spec: ServiceSpec, *_: Any) -> None:
        self.spec, self.replicas, self.ready, self.fault = spec, list[Any](), 1, None

    async def start(self) -> None:
        """At once."""

    async def count(self) -> None:
        """Nothing."""

    async def end(self, patience: float = 0.0) -> None:
        """At once."""
        self.ready = 0

    def look(self) -> None:
        """Nothing."""

    def tell(self, code: int, body: bytes) -> None:
        """Nothing."""


async def test_a_service_goes_on_and_ends_whatever_is_wrong_with_its_watch(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Watcher, **_more: object) -> None:
        raise OverflowError("int too large to convert to float")

    _, folder = watched(1)
    record = ModelVersion(model="churn", number=1, created=0, owner="me")
    model_folder("churn").version(1).write_record(record)
    monkeypatch.setattr(arm, "Fleet", NoFleet)
    monkeypatch.setattr(Watcher, "look", fail)
    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", lambda *_: None)
    folder.write_spec(SPEC)
    runs = asyncio.create_task(router.ServiceRouter(folder).run())

    deadline = time.monotonic() + PATIENCE
    for number, digest in enumerate(["d", "d", "e"]):
        folder.write_spec(SPEC.model_copy(update={"revision": f"r{number}", "digest": digest}))
        while (state := folder.state()) is None or state.revision != f"r{number}":
            assert time.monotonic() < deadline and not runs.done()
            await asyncio.sleep(0.02)
    (folder.path / WANTED).unlink()
    assert await asyncio.wait_for(runs, PATIENCE)
    state = folder.state()
    assert state is not None and state.phase == "stopped"


class Channel(asyncio.Transport):
    """Keeps what is written to a replica."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.counting = asyncio.Event()
        self._reader = FrameReader()

    def write(self, data: Any) -> None:
        """As a transport."""
        self.frames += self._reader.feed(data)
        if self.frames[-1].code == COUNT:
            self.counting.set()

    def close(self) -> None:
        """As a transport."""


@pytest.mark.parametrize("already", [True, False])
async def test_what_a_replica_counted_last_is_waited_for(tmp_path: Path, already: bool) -> None:
    """Also if it is being asked for that already when it is let go."""
    heard: list[Frame] = []
    replica = ReplicaProcess("v1-1", SPEC, ServiceFolder(tmp_path), lambda: None, heard.append)
    channel = Channel()
    replica.connection_made(channel)
    replica.phase = "ready"
    answer = replica.ask(INFER, b"{}")
    await asyncio.sleep(0)  # what is asked at the same time is sent together
    replica.data_received(Frame(channel.frames[0].number, 200, b"{}").packed())
    assert (await answer).body == b"{}"
    if already:
        replica.count()
    goes = asyncio.create_task(replica.let_go())
    await channel.counting.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    (asked,) = [frame for frame in channel.frames if frame.code == COUNT]
    assert not goes.done()
    replica.data_received(Frame(asked.number, 200, b"counts").packed())
    await goes
    assert [frame.body for frame in heard] == [b"counts"]
