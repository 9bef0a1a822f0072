"""What is stored of clusters, damaged or of another version: one row says so, all others are as they were."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kubernetes.aio")

from jupyter_mlops import places
from jupyter_mlops.cli.main import main as cli
from jupyter_mlops.core.cluster import ClusterSpec, ClusterState, Event, Sample
from jupyter_mlops.core.errors import ClusterUnreachable, NameTaken, Unreadable
from jupyter_mlops.core.ledger import LedgerEntry
from jupyter_mlops.core.price import Cost, Price
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.core.run import RunState
from jupyter_mlops.places.base import Backend
from jupyter_mlops.places.kubernetes.api.client import Api
from jupyter_mlops.places.kubernetes.managed import security_of
from jupyter_mlops.places.kubernetes.names import ObjectNames
from jupyter_mlops.places.kubernetes.records import record
from jupyter_mlops.places.kubernetes.records.keeper import RecordKeeper

from .api import StoringApi

Json = dict[str, Any]
GARBAGE = '{"name": "one", "profile'
SPEC = "jupyter-mlops/spec"


@pytest.fixture
def api(api_of_ann: StoringApi) -> StoringApi:
    return api_of_ann


@pytest.fixture
def backend(api: StoringApi) -> Backend:
    return places.get("kubernetes")


def spec_of(name: str, age: float = 0.0) -> ClusterSpec:
    profile = Profile(name="small", place="kubernetes", groups=[Group(workers=1)])
    created = time.time() - age
    return ClusterSpec(name=name, owner="Ann", profile=profile, price=Price(cpu_hour=1.0), created=created)


def state_of(spec: ClusterSpec) -> ClusterState:
    return ClusterState(
        name=spec.name, place="kubernetes", profile="small", owner="Ann", phase="running", created=spec.created,
        cost=Cost(amount=1.5, per_hour=2.0),
    )  # fmt: skip


async def made(backend: Backend, folder: Path, *names: str, age: float = 0.0) -> list[ClusterSpec]:
    """Clusters whose controllers have stored all that there is to store."""
    specs = [spec_of(name, age) for name in names]
    for spec in specs:
        await backend.start(spec)
        await store(spec, folder / spec.name)
    return specs


async def store(spec: ClusterSpec, folder: Path) -> None:
    """What a controller stores."""
    folder.mkdir(parents=True)
    at = spec.created
    run = RunState(id="0123456789ab", name="r", kind="map", cluster=spec.name, owner="Ann", created=at)
    stored = {
        "ledger.jsonl": [LedgerEntry(time=at, kind="open", worker="w", group="default", cpus=1)],
        "events.jsonl": [Event(seq=seq, time=at, kind="cluster", text=text) for seq, text in ((1, "Made"), (2, "r"))],
        "timeline.jsonl": [Sample(time=at, wanted=1, pending=0, running=1, busy=0)],
        "runs.jsonl": [run],
    }
    for name, lines in stored.items():
        (folder / name).write_text("".join(f"{line.model_dump_json()}\n" for line in lines))
    await _with_keeper(spec, folder, lambda keeper: keeper.finish())


async def _with_keeper(spec: ClusterSpec, folder: Path, work: Callable[[RecordKeeper], Any]) -> Any:
    api = await Api.connect()
    ids = record.ids_of(spec, api.namespace)
    state = state_of(spec).model_dump(mode="json")
    keeper = RecordKeeper(api, ids, folder, state=lambda: state, runs=lambda: [], news=lambda: None)
    try:
        return await work(keeper)
    finally:
        await api.close()


def change_json(text: str, change: Callable[[Json], object]) -> str:
    item = json.loads(text)
    change(item)
    return json.dumps(item)


async def rows(backend: Backend) -> dict[str, ClusterState]:
    return {state.name: state for state in await backend.clusters()}


async def test_fields_of_a_newer_version_are_passed_over(api: StoringApi, backend: Backend, tmp_path: Path) -> None:
    """In the spec, wherever it is stored, in the state, in the history, and in the receipt."""
    await made(backend, tmp_path / "clusters", "one", "two")

    def newer(item: Json) -> None:
        item["thresholds"] = [0.5, 0.9]
        item["format"] = 2
        if "profile" in item and isinstance(item["profile"], dict):
            item["profile"]["limits"]["thresholds"] = [0.5, 0.9]
            item["profile"]["options"]["sidecar"] = True

    deployment = api.of("deployments", "one-")
    deployment["metadata"]["annotations"][SPEC] = change_json(deployment["metadata"]["annotations"][SPEC], newer)
    for name in ("spec.json", "state.json"):
        api.keep("one-receipt", name, change_json(api.kept("one-receipt", name), newer))
    change_history(api, "one", lambda text: "\n".join(change_json(line, newer) for line in text.splitlines()))
    seen = await rows(backend)
    assert [(state.phase, state.problem) for state in seen.values()] == [("running", None)] * 2
    assert seen["one"].cost.amount == 1.5
    assert (await backend.spec("one")).profile.name == "small"
    assert [event.text for event in await backend.events("one")] == ["Made", "r"]
    assert len(await backend.runs("one")) == len(await backend.timeline("one")) == 1

    await backend.stop("one", force=True)
    api.keep("one-receipt", "receipt.json", change_json(api.kept("one-receipt", "receipt.json"), newer))
    ended = (await rows(backend))["one"]
    assert (ended.phase, ended.cause) == ("ended", "user")
    final = await backend.receipt("one")
    assert final is not None and final.cost.amount is not None


@pytest.mark.parametrize("where", ["record", "receipt"])
async def test_a_spec_that_is_damaged_in_one_place_is_read_from_the_other(
    api: StoringApi, backend: Backend, tmp_path: Path, where: str
) -> None:
    await made(backend, tmp_path / "clusters", "one")
    if where == "record":
        api.of("deployments", "one-")["metadata"]["annotations"][SPEC] = GARBAGE
    else:
        api.keep("one-receipt", "spec.json", GARBAGE)
    seen = (await rows(backend))["one"]
    assert (seen.phase, seen.problem) == ("running", None)
    assert (await backend.spec("one")).profile.name == "small"


async def test_an_unreadable_spec_is_one_row_and_nothing_is_done_because_of_it(
    api: StoringApi, backend: Backend, tmp_path: Path
) -> None:
    await made(backend, tmp_path / "clusters", "one", "two")
    (one,) = damage_spec(api, "one")
    api.changes.clear()
    seen = await rows(backend)
    assert seen["two"].phase == "running" and seen["two"].problem is None
    broken = seen["one"]
    assert (broken.phase, broken.owner, broken.cost.amount) == ("unreachable", "Ann", 1.5)
    assert broken.problem is not None and "can't be read" in broken.problem.what
    assert f"ann/{one}" in broken.problem.why and "jupyter mlops stop" in broken.problem.todo
    with pytest.raises(Unreadable, match="spec of cluster 'one'"):
        await backend.spec("one")
    for refused in (backend.address("one", 30.0), backend.link("one", 30.0)):
        with pytest.raises(ClusterUnreachable, match="spec of cluster 'one'"):
            await refused
    assert len(await backend.runs("one")) == 1 and len(await backend.events("one")) == 2
    with pytest.raises(NameTaken):
        await backend.start(spec_of("one"))
    assert api.changes == []

    await backend.stop("one")
    assert "DELETE deployments one-scheduler" in api.changes
    assert not [change for change in api.changes if "two" in change]
    ended = (await rows(backend))["one"]
    assert (ended.phase, ended.cost.amount, ended.cost.per_hour) == ("ended", 1.5, 0.0)
    await backend.forget("one")
    assert list(await rows(backend)) == ["two"]


async def test_options_that_can_not_be_read_are_said_too(api: StoringApi, backend: Backend, tmp_path: Path) -> None:
    """The place reads them apart from the spec that they are in."""
    await made(backend, tmp_path / "clusters", "one")
    spec = api.kept("one-receipt", "spec.json")
    odd = change_json(spec, lambda spec: spec["profile"]["options"].update(tls="perhaps"))
    api.keep("one-receipt", "spec.json", odd)
    api.of("deployments", "one-")["metadata"]["annotations"][SPEC] = odd
    seen = (await rows(backend))["one"]
    assert seen.phase == "unreachable" and seen.problem is not None and "tls" in seen.problem.why
    with pytest.raises(ClusterUnreachable):
        await backend.address("one", 30.0)


async def test_an_unreadable_cluster_is_stopped_only_by_its_name(
    api: StoringApi, backend: Backend, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await made(backend, tmp_path / "clusters", "one", "two")
    damage_spec(api, "one")
    assert await asyncio.to_thread(lambda: cli(["stop", "--all", "--force"])) == 0
    assert "one is not stopped: The spec of cluster 'one' can't be read" in capsys.readouterr().err
    assert list(api.objects["deployments"]) == ["one-scheduler"]
    assert await asyncio.to_thread(lambda: cli(["stop", "one"])) == 0
    assert not api.objects["deployments"]


async def test_an_unreadable_cluster_without_a_record_is_not_ended(
    api: StoringApi, backend: Backend, tmp_path: Path
) -> None:
    """Nobody knows whether it has ended; a person who names it says so."""
    await made(backend, tmp_path / "clusters", "one")
    damage_spec(api, "one")
    api.objects["deployments"].clear()
    api.changes.clear()
    seen = (await rows(backend))["one"]
    assert seen.phase == "unreachable" and seen.problem is not None
    assert api.changes == []
    await backend.stop("one")
    assert (await rows(backend))["one"].phase == "ended"


async def test_a_record_of_an_older_version_is_told_from_that_of_an_earlier_cluster(
    api: StoringApi, backend: Backend, tmp_path: Path
) -> None:
    """Its record doesn't name its receipt, and its spec can't be read: it is the one that has not ended."""
    await made(backend, tmp_path / "first", "one")
    await backend.stop("one", force=True)
    await made(backend, tmp_path / "second", "one")
    deployment = api.of("deployments", "one-")
    del deployment["metadata"]["annotations"]["jupyter-mlops/receipt"]
    deployment["metadata"]["annotations"][SPEC] = GARBAGE
    phases = sorted(state.phase for state in await backend.clusters())
    assert phases == ["ended", "running"]


async def test_an_unreadable_state_is_said_and_the_cluster_goes_on(
    api: StoringApi, backend: Backend, tmp_path: Path
) -> None:
    await made(backend, tmp_path / "clusters", "one")
    api.keep("one-receipt", "state.json", GARBAGE)
    seen = (await rows(backend))["one"]
    assert seen.phase == "running" and seen.problem is not None and "last state" in seen.problem.what
    assert (await backend.spec("one")).name == "one"
    assert api.of("deployments", "one-")["spec"]["replicas"] == 1


async def test_a_scheduler_hears_why_somebody_ended_it(api: StoringApi, backend: Backend, tmp_path: Path) -> None:
    """It is told to end by Kubernetes, and writes the receipt last: with the cause that is in it."""
    (spec,) = await made(backend, tmp_path / "clusters", "one")
    assert await _with_keeper(spec, tmp_path, lambda keeper: keeper.told_end()) is None
    await backend.end("one", "budget", "its account is empty")
    told = await _with_keeper(spec, tmp_path, lambda keeper: keeper.told_end())
    assert (told.cause, told.why) == ("budget", "its account is empty")
    api.keep("one-receipt", "receipt.json", GARBAGE)
    assert await _with_keeper(spec, tmp_path, lambda keeper: keeper.told_end()) is None


async def test_an_unreadable_receipt_is_kept_as_it_is(api: StoringApi, backend: Backend, tmp_path: Path) -> None:
    """Also after the days for which receipts are kept."""
    await made(backend, tmp_path / "clusters", "one", "two", age=30 * 24 * 3600.0)
    await backend.stop("one", force=True)
    for name, text in {"receipt.json": GARBAGE, "alive": "0"}.items():
        api.keep("one-receipt", name, text)
    api.changes.clear()
    seen = await rows(backend)
    assert seen["two"].phase == "running"
    assert seen["one"].phase == "ended" and seen["one"].problem is not None and "receipt" in seen["one"].problem.what
    assert await backend.receipt("one") is None
    assert api.changes == [] and api.of("secrets", "one-receipt")


async def test_half_a_line_of_the_history_is_left_out(api: StoringApi, backend: Backend, tmp_path: Path) -> None:
    """A file is copied while it is written."""
    await made(backend, tmp_path / "clusters", "one")
    change_history(api, "one", lambda text: text + text.splitlines()[-1][:20])
    assert len(await backend.events("one")) == 2
    assert len(await backend.runs("one")) == len(await backend.timeline("one")) == 1
    await backend.stop("one", force=True)
    receipt = await backend.receipt("one")
    assert receipt is not None and receipt.runs == 1 and receipt.cost.usage.worker_hours > 0


async def test_an_unreadable_history_is_an_event_and_costs_what_was_said_last(
    api: StoringApi, backend: Backend, tmp_path: Path
) -> None:
    await made(backend, tmp_path / "clusters", "one")
    history = api.of("secrets", "one-history")
    history["data"] = {name: base64.b64encode(b"no gzip").decode() for name in history["data"]}
    (event,) = await backend.events("one")
    assert event.problem is not None and "ann/one-history" in event.problem.why
    assert await backend.runs("one") == [] and await backend.timeline("one") == []
    await backend.stop("one", force=True)
    receipt = await backend.receipt("one")
    assert receipt is not None and receipt.cost.amount == 1.5


async def test_an_unreadable_key_is_said(api: StoringApi, backend: Backend, tmp_path: Path) -> None:
    await made(backend, tmp_path / "clusters", "one")
    secret = api.of("secrets", "one-tls")
    assert security_of(secret).tls_client_key.startswith("-----BEGIN")
    for data in ({}, {"tls.key": "%%%", "tls.crt": "%%%"}, {"tls.key": secret["data"]["tls.key"]}):
        secret["data"] = data
        with pytest.raises(ClusterUnreachable, match="Secret ann/one-tls"):
            await backend.address("one", 30.0)


async def test_a_scheduler_that_comes_back_goes_on_without_what_it_can_not_read(
    api: StoringApi, backend: Backend, tmp_path: Path
) -> None:
    (spec,) = await made(backend, tmp_path / "clusters", "one")
    for name, text in {"state.json": GARBAGE, "alive": "a while ago"}.items():
        api.keep("one-receipt", name, text)
    for name, text in {"live.json": GARBAGE, "events.jsonl.gz": "no gzip"}.items():
        api.keep("one-history", name, text)
    (tmp_path / "pod").mkdir()
    restored = await _with_keeper(spec, tmp_path / "pod", lambda keeper: keeper.restore())
    assert (list(restored.groups), list(restored.runs)) == ([], [])
    assert (tmp_path / "pod" / "ledger.jsonl").exists() and not (tmp_path / "pod" / "events.jsonl").exists()


async def test_a_foreign_cluster_of_another_form_is_one_row(api: StoringApi, backend: Backend, tmp_path: Path) -> None:
    await made(backend, tmp_path / "clusters", "one")
    api.unknown.clear()
    for name, replicas in (("odd", "many"), ("plain", 2)):
        api.put("daskclusters", {"metadata": {"name": name}, "spec": {"worker": {"replicas": replicas}}})
    api.put("daskworkergroups", {"metadata": {"name": "stray"}, "spec": {}})
    seen = await rows(backend)
    assert set(seen) == {"one", "odd", "plain"} and seen["one"].problem is None
    assert seen["plain"].groups[0].wanted == 2 and "scale" in seen["plain"].commands
    odd = seen["odd"]
    assert odd.problem is not None and "DaskCluster ann/odd can't be read" in odd.problem.what
    assert odd.commands == ["stop"]
    with pytest.raises(ClusterUnreachable, match="DaskCluster ann/odd"):
        await backend.link("odd", 30.0)
    await backend.stop("odd")
    assert set(await rows(backend)) == {"one", "plain"}


def test_names_of_records_tell_when_their_cluster_was_made() -> None:
    """Which a reader needs who can read nothing else."""
    assert ObjectNames("one", "ann", 1.5).receipt == "one-receipt-5dc"


def damage_spec(api: StoringApi, cluster: str) -> list[str]:
    """Damage the spec wherever it is stored; the name of the object that says so."""
    api.of("deployments", f"{cluster}-")["metadata"]["annotations"][SPEC] = GARBAGE
    api.keep(f"{cluster}-receipt", "spec.json", GARBAGE)
    return [api.of("secrets", f"{cluster}-receipt")["metadata"]["name"]]


def change_history(api: StoringApi, cluster: str, change: Callable[[str], str]) -> None:
    """Change the text of all files of a history."""
    history = api.of("secrets", f"{cluster}-history")
    for name, data in history["data"].items():
        if name.endswith(".gz"):
            text = change(gzip.decompress(base64.b64decode(data)).decode())
            history["data"][name] = base64.b64encode(gzip.compress(text.encode())).decode()


async def test_what_a_list_lacks_is_not_gone(api: StoringApi, backend: Backend, tmp_path: Path) -> None:
    """It was made between two lists, or somebody took its labels; somebody who pauses it doesn't end it."""
    await made(backend, tmp_path, "unlabelled", "paused")
    api.of("deployments", "unlabelled-")["metadata"]["labels"] = {}
    paused = api.of("deployments", "paused-")
    paused["spec"]["replicas"] = 0
    paused["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"
    api.changes.clear()
    for _ in range(2):
        assert {name: state.phase for name, state in (await rows(backend)).items()} == {
            "unlabelled": "stopping",
            "paused": "running",
        }
    assert not api.changes
    del api.objects["deployments"]["unlabelled-scheduler"]
    assert (await rows(backend))["unlabelled"].cause == "deleted"


async def test_what_a_cluster_had_cost_is_told_without_its_history(
    api: StoringApi, backend: Backend, tmp_path: Path
) -> None:
    (spec,) = await made(backend, tmp_path, "one")
    del api.objects["deployments"]["one-scheduler"]
    del api.objects["secrets"][record.ids_of(spec, api.namespace).history]
    state = (await rows(backend))["one"]
    assert (state.phase, state.cost.amount) == ("ended", 1.5)
