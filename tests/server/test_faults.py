"""What goes wrong around a server: restarts, a second server, a full disk, clusters that vanish or don't answer."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_mlops.core.cluster import ClusterState, Event, Sample
from jupyter_mlops.home.clusters import ClusterFolder
from jupyter_mlops.server.history.keeper import Keeper

from ..websockets import hang_up
from .conftest import SMALL, eventually, finished

pytestmark = pytest.mark.slow


async def started(ask: Any, name: str = "one", **more: Any) -> None:
    await ask("PUT", "profiles/small", SMALL)
    operation = await finished(ask, await ask("POST", "clusters", {"profile": "small", "name": name, **more}))
    assert operation["phase"] == "done", operation


async def restart(jp_serverapp: Any) -> Any:
    """The extension as after a restart of the server: everything that it had in memory is gone."""
    app = jp_serverapp.web_app.settings["jupyter_mlops"]
    await app.stop_extension()
    return await app.services()


async def test_a_restarted_server_finds_everything_again(ask: Any, browse: Any, jp_serverapp: Any) -> None:
    await started(ask)
    before = await ask("GET", "clusters/one/events")
    browser = await browse(follow_clusters=["one"])
    await browser.until(lambda: browser.workers.get("one"))
    await hang_up(browser.socket)
    await restart(jp_serverapp)
    again = await browse(epoch=browser.epoch, seq=browser.seq, follow_clusters=["one"])
    await again.until(lambda: again.clusters.get("one", {}).get("phase") == "running")
    assert again.snapshots >= 1 and again.epoch != browser.epoch
    await again.until(lambda: set(again.workers.get("one", ())) == set(browser.workers["one"]))
    assert (await ask("GET", "clusters/one/events"))[: len(before)] == before
    assert (await finished(ask, await ask("PATCH", "clusters/one", {"workers": 2})))["phase"] == "done"


async def test_an_ended_cluster_is_listed_after_its_folder_is_gone(ask: Any, home: Path, jp_serverapp: Any) -> None:
    await started(ask)
    await finished(ask, await ask("DELETE", "clusters/one"))
    receipt = await eventually(lambda: ask("GET", "clusters/one/receipt"))
    events = await ask("GET", "clusters/one/events")
    shutil.rmtree(home / "clusters" / "one")
    await restart(jp_serverapp)
    (state,) = await ask("GET", "clusters")
    assert (state["name"], state["phase"], state["cause"]) == ("one", "ended", "user")
    assert await ask("GET", "clusters/one/receipt") == receipt
    assert await ask("GET", "clusters/one/events") == events
    assert await ask("GET", "clusters/one/timeline")
    assert await ask("DELETE", "clusters/one") is None
    assert await ask("GET", "clusters") == []


async def test_a_killed_scheduler_is_an_ended_cluster_with_its_cause(ask: Any, browse: Any, home: Path) -> None:
    await started(ask)
    there = time.time()
    browser = await browse()
    await browser.until(lambda: browser.clusters.get("one", {}).get("phase") == "running")
    folder = ClusterFolder(home / "clusters" / "one")
    await eventually(lambda: now(folder.heartbeat() > there))  # it costs until its last sign of life
    scheduler_in(home).send_signal(signal.SIGKILL)
    await browser.until(lambda: browser.clusters["one"]["phase"] == "ended")
    assert browser.clusters["one"]["cause"] in ("killed", "failed")
    assert (await ask("GET", "clusters/one/receipt"))["cost"]["amount"] > 0


async def test_a_scheduler_that_hangs_is_unreachable_and_comes_back(
    ask: Any, browse: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_mlops.client.clusters.follow._PATIENCE", 2.0)
    await started(ask)
    browser = await browse()
    await browser.until(lambda: browser.clusters.get("one", {}).get("phase") == "running")
    scheduler = scheduler_in(home)
    scheduler.suspend()
    try:
        await browser.until(lambda: browser.clusters["one"]["phase"] == "unreachable")
        assert browser.clusters["one"]["problem"]["what"]
        status, error = await ask("GET", "clusters/one/workers")
        assert (status, error["error"]) == (503, "ClusterUnreachable")
    finally:
        scheduler.resume()
    await browser.until(lambda: browser.clusters["one"]["phase"] == "running")


def scheduler_in(home: Path) -> psutil.Process:
    """The scheduler of the cluster `one`. What was forked off from it has the same arguments."""
    record = json.loads((home / "clusters" / "one" / "record.json").read_text())
    return psutil.Process(record["scheduler"]["pid"])


async def test_two_servers_on_one_home(ask: Any, jp_serverapp: Any, home: Path) -> None:
    from jupyter_mlops.server.services import Services

    await started(ask)
    second = Services(0.3, 0.3, 30, jp_serverapp.log)
    await second.start()
    try:
        await eventually(lambda: now(second.watcher.get("one").phase == "running"))
        assert (await finished(ask, await ask("PATCH", "clusters/one", {"workers": 2})))["phase"] == "done"
        await eventually(lambda: now(second.watcher.get("one").counts.idle == 2))
        await second.clusters.remove("one", force=False)

        async def ended() -> bool:
            found = await ask("GET", "clusters/one")
            if isinstance(found, tuple):  # it was asked for once more as it had just ended: then it is forgotten
                return bool(found[0] == 404)
            if found["phase"] == "stopping":
                again = await ask("DELETE", "clusters/one")
                assert again is None or again["kind"] == "stop", "who asks as well waits as well"
            return bool(found["phase"] == "ended")

        await eventually(ended)
    finally:
        await second.close()
    assert second.keeper.problem is None
    assert (home / "history.sqlite").stat().st_mode & 0o077 == 0


async def now(value: Any) -> Any:
    return value


async def test_a_history_that_cannot_be_written_is_said_and_nothing_else_fails(
    ask: Any, browse: Any, jp_serverapp: Any, home: Path
) -> None:
    app = jp_serverapp.web_app.settings["jupyter_mlops"]
    keeper: Keeper = (await app.services()).keeper
    await started(ask)
    other = sqlite3.connect(home / "history.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # another program writes, and does not come to an end
    state = ClusterState.model_validate(await ask("GET", "clusters/one"))
    events = [Event(seq=1000 + n, time=0, kind="scale", text="x" * 500) for n in range(2000)]
    keeper.put_events(state, events)
    browser = await browse()
    await browser.until(lambda: (browser.clusters.get("one", {}).get("problem") or {}).get("what"))
    assert "locked" in browser.clusters["one"]["problem"]["why"]
    assert (await finished(ask, await ask("PATCH", "clusters/one", {"workers": 2})))["phase"] == "done"
    other.close()
    await browser.until(lambda: browser.clusters["one"]["problem"] is None)
    kept = await keeper.events("one")
    assert len(kept) >= 2000, "what waited was written when the file was free"


async def test_a_broken_history_is_no_reason_not_to_serve(ask: Any, home: Path, jp_serverapp: Any) -> None:
    (home / "history.sqlite").write_text("this is no database, but it is long enough to be taken for one" * 20)
    assert await ask("GET", "clusters") == []
    await started(ask)
    assert (await ask("GET", "clusters/one"))["problem"]["what"] == "The history isn't kept"


async def test_a_history_of_a_newer_release_is_left_alone(home: Path, jp_serverapp: Any) -> None:
    with closing(sqlite3.connect(home / "history.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    keeper = Keeper(home / "history.sqlite", 1, jp_serverapp.log)
    assert await keeper.clusters() == []
    assert keeper.problem is not None and "version 99" in keeper.problem.why
    await keeper.close()


async def test_old_history_goes(home: Path, jp_serverapp: Any) -> None:
    keeper = Keeper(home / "history.sqlite", 60.0, jp_serverapp.log)
    long_ago = time.time() - 3600
    for name, at in (("old", long_ago), ("new", time.time())):
        samples = [Sample(time=at + n * 20, wanted=1, pending=0, running=1, busy=0) for n in range(1, 4)]
        state = ClusterState(
            name=name, place="local", profile="p", owner="me", phase="ended", created=at, ended=at, timeline=samples
        )
        keeper.put_cluster(state)
        keeper.put_events(state, [Event(seq=1, time=at, kind="cluster", text="ended")])
    assert [state.name for state, _ in await keeper.clusters()] == ["new", "old"]
    assert len(await keeper.timeline("old", 0)) == 3
    keeper.prune()
    assert [state.name for state, _ in await keeper.clusters()] == ["new"]
    assert await keeper.events("old") == [] and len(await keeper.events("new")) == 1
    await keeper.close()
