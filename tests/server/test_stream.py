"""The stream: one snapshot, then changes; resumable; a slow browser slows only itself."""

from __future__ import annotations

import asyncio
import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_mlops.core.changes import ChangeTable
from jupyter_mlops.core.cluster import Event, Problem, SilentPlace, WorkerState
from jupyter_mlops.core.operation import Operation
from jupyter_mlops.core.stream import Changes, Hello, Snapshot
from jupyter_mlops.server.stream.hub import BEAT, Hub, Subscriber
from jupyter_mlops.server.stream.looker import Looker

from ..websockets import hang_up


def operation(number: int, text: str = "") -> Operation:
    return Operation(id=f"o{number}", kind="start", subject="x", created=number, text=text)


def worker(number: int, done: int = 0) -> WorkerState:
    return WorkerState(name=f"w{number}", group="default", phase="idle", since=0, done=done)


def subscribed(hub: Hub, **hello: Any) -> Subscriber:
    subscriber = Subscriber(hub)
    subscriber.hello(Hello(**hello))
    return subscriber


def take(subscriber: Subscriber) -> Any:
    """The next message, which is as the models say."""
    text = subscriber.message()
    if text is None:
        return None
    message = json.loads(text)
    (Snapshot if message["type"] == "snapshot" else Changes).model_validate(message)
    return message


async def test_a_snapshot_then_only_what_changed() -> None:
    hub = Hub()
    hub.put("operation", "o1", operation(1))
    browser = subscribed(hub)
    snapshot = take(browser)
    assert snapshot["type"] == "snapshot" and [o["id"] for o in snapshot["operations"]] == ["o1"]
    assert take(browser) is None
    for text in ("a", "b", "c"):
        hub.put("operation", "o2", operation(2, text))
    hub.put("operation", "o1", None)
    changes = take(browser)["changes"]
    assert [(change["id"], change["value"] and change["value"]["text"]) for change in changes] == [
        ("o2", "c"),
        ("o1", None),
    ], "the newest state of each, once"
    hub.put("operation", "o2", operation(2, "c"))
    assert take(browser) is None, "what is the same is no change"


async def test_places_that_do_not_answer_are_told_as_one_list() -> None:
    hub = Hub()
    assert take(subscribed(hub))["silent"] == []
    lost = SilentPlace(place="kubernetes", problem=Problem(what="Kubernetes doesn't answer"), seen=40, clusters=2)
    browser = subscribed(hub)
    take(browser)
    hub.put("silent", "", [lost])
    (change,) = take(browser)["changes"]
    assert (change["noun"], change["value"][0]["clusters"]) == ("silent", 2)
    assert take(subscribed(hub))["silent"] == change["value"]
    hub.put("silent", "", [])
    assert take(browser)["changes"][0]["value"] == []


async def test_a_browser_resumes_where_it_was() -> None:
    hub = Hub()
    hub.put("operation", "o1", operation(1))
    first = subscribed(hub)
    seen = take(first)
    first.close()
    assert not hub.subscribers
    hub.put("operation", "o2", operation(2))
    again = take(subscribed(hub, epoch=hub.epoch, seq=seen["seq"]))
    assert again["type"] == "changes" and [change["id"] for change in again["changes"]] == ["o2"]
    for lost in ({"epoch": "another", "seq": seen["seq"]}, {"epoch": hub.epoch, "seq": hub.seq + 5}, {}):
        assert take(subscribed(hub, **lost))["type"] == "snapshot"


async def test_away_for_too_long_is_a_snapshot() -> None:
    hub = Hub()
    hub.table = ChangeTable(remembered=3)
    hub.put("operation", "o0", operation(0))
    seen = take(subscribed(hub))
    slow = subscribed(hub, epoch=hub.epoch, seq=seen["seq"])
    for number in range(1, 9):
        hub.put("operation", f"o{number}", operation(number))
        hub.put("operation", f"o{number}", None)
    for browser in (slow, subscribed(hub, epoch=hub.epoch, seq=seen["seq"])):
        message = take(browser)
        assert message["type"] == "snapshot" and [o["id"] for o in message["operations"]] == ["o0"]


async def test_workers_come_whole_and_then_as_changes_to_those_who_follow() -> None:
    hub = Hub()
    wanted: list[set[str]] = []
    hub.on_follow.append(lambda: wanted.append(set(hub.clusters)))
    browser, other = subscribed(hub), subscribed(hub)
    take(browser), take(other)
    browser.hello(Hello(epoch=hub.epoch, seq=hub.seq, follow_clusters=["x"]))
    assert wanted[-1] == {"x"} and take(browser)["changes"] == []
    hub.put_workers("x", [worker(1), worker(2)], [], whole=True)
    hub.put_events("x", [Event(seq=1, time=0, kind="worker", text="came")])
    assert take(browser) is None, "not yet known whether that is all"
    hub.set_ready(hub.clusters["x"])
    workers, events = take(browser)["changes"]
    assert workers["whole"] and [w["name"] for w in workers["value"]] == ["w1", "w2"]
    assert events["whole"] and [e["text"] for e in events["value"]] == ["came"]
    hub.put_workers("x", [worker(2, done=5)], ["w1"], whole=False)
    hub.put_events("x", [Event(seq=1, time=0, kind="worker", text="came")])
    (workers,) = take(browser)["changes"]
    assert not workers["whole"] and [w["done"] for w in workers["value"]] == [5] and workers["gone"] == ["w1"]
    assert take(other) is None
    # A controller that was restarted tells all: only the differences go on.
    hub.put_workers("x", [worker(3)], [], whole=True)
    (workers,) = take(browser)["changes"]
    assert [w["name"] for w in workers["value"]] == ["w3"] and workers["gone"] == ["w2"] and not workers["whole"]
    browser.close()
    assert wanted[-1] == set() and not hub.clusters


async def test_a_quiet_server_is_heard_and_each_hello_is_answered() -> None:
    """So that a browser can tell a quiet server from a connection that is dead."""
    hub = Hub()
    browser = subscribed(hub)
    assert take(browser)["beat"] == BEAT
    assert take(browser) is None
    beat = json.loads(browser.message(beat=True) or "null")
    assert (beat["type"], beat["changes"], beat["beat"]) == ("changes", [], BEAT)
    browser.hello(Hello(epoch=hub.epoch, seq=hub.seq))
    assert take(browser)["changes"] == []
    assert take(browser) is None
    again = subscribed(hub, epoch=hub.epoch, seq=hub.seq)
    assert take(again)["changes"] == [], "a browser that is back knows at once that it missed nothing"


async def test_a_slow_browser_gets_each_thing_once_and_nothing_is_kept_for_it(browse: Any, jp_serverapp: Any) -> None:
    app = jp_serverapp.web_app.settings["jupyter_mlops"]
    hub: Hub = (await app.services()).hub
    quick, slow = await browse(), await browse()
    await quick.read(), await slow.read()
    big = "x" * 200_000
    for number in range(400):  # far more than the system buffers for a connection that isn't read
        hub.put("operation", f"o{number % 10}", operation(number % 10, f"{big}{number}"))
        if number % 20 == 0:
            await asyncio.sleep(0.05)
    await quick.until(lambda: quick.operations.get("o9", {}).get("text", "").endswith("399"))
    received = 0
    while not slow.operations.get("o9", {}).get("text", "").endswith("399"):
        message = await slow.read()
        received += len(message["changes"])
    assert received < 200, f"{received} of 400 changes were kept for it"
    assert slow.operations == quick.operations


async def test_a_browser_that_reconnects_gets_what_it_missed(browse: Any, ask: Any) -> None:
    browser = await browse()
    await browser.read()
    await hang_up(browser.socket)
    await ask("PUT", "profiles/mine", {"groups": [{"workers": 1}]})
    again = await browse(epoch=browser.epoch, seq=browser.seq)
    message = await again.read()
    assert message["type"] == "changes"
    while not message["changes"]:
        message = await again.read()
    assert any(view["profile"]["name"] == "mine" for view in again.profiles)
    # Without a change, too, it hears of the server.
    while (await again.read())["changes"]:
        pass


async def test_who_looks_goes_on_whatever_went_wrong(caplog: pytest.LogCaptureFixture) -> None:
    looked, again = list[int](), asyncio.Event()

    async def publish() -> None:
        looked.append(len(looked))
        if len(looked) < 3:
            raise KeyError("what another place didn't say")
        again.set()

    hub: Any = SimpleNamespace(subscribers=["a browser"])
    looker = Looker(hub, logging.getLogger("looker"), "services", 0.001, publish)
    looker.start()
    await asyncio.wait_for(again.wait(), 60)
    await looker.close()
    assert [each.getMessage() for each in caplog.records if each.name == "looker"] == [
        "jupyter-mlops: the services can't be listed: KeyError: \"what another place didn't say\""
    ]
