"""Records that no longer say what is, disks that are full, people who shouldn't be there."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import shutil
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client
from distributed.comm import CommClosedError

from jupyter_mlops.core.errors import ClusterUnreachable, StorageFull
from jupyter_mlops.core.ledger import LedgerEntry
from jupyter_mlops.places.local import processes, store, tls

from ..places.place import LocalPlace, call, ended, workers_up
from .processes import all_gone, change, folder, record, running

pytestmark = pytest.mark.slow


def _dead(local: LocalPlace, name: str = "stale", hours: float = 2.0, **fields: object) -> None:
    """A folder as a cluster of one CPU leaves it that ran for some hours until its machine lost power.

    `fields` are other things than usual in its record.
    """
    store.create(local.spec(name=name).model_copy(update={"created": time.time() - 4 * 3600}))
    entry = LedgerEntry(time=time.time() - 3 * 3600, kind="open", worker="default-1", group="default", cpus=1)
    ledger = folder(local, name) / "ledger.jsonl"
    ledger.write_text(entry.model_dump_json() + "\n" + '{"time": 1, "ki')  # half a line: the crash
    usual = {"phase": "running", "scheduler": {"pid": 2**22, "birth": "1"}, "address": "tls://127.0.0.1:1"}
    change(local, name, **{**usual, **fields})
    for path in (ledger, folder(local, name) / "record.json"):
        os.utime(path, (entry.time + hours * 3600, entry.time + hours * 3600))


@pytest.fixture
def bystander() -> Iterator[processes.Process]:
    """A process that has nothing to do with any cluster."""
    process = subprocess.Popen(["sleep", "600"])
    found = processes.look(process.pid)
    assert found is not None
    yield found
    assert process.poll() is None, "somebody ended it"
    process.kill()
    process.wait()


async def test_a_number_that_was_given_away_again_is_not_the_cluster(
    local: LocalPlace, bystander: processes.Process
) -> None:
    _dead(local, scheduler={"pid": bystander.pid, "birth": "1"})
    state = await local.backend.get("stale")
    assert (state.phase, state.cause) == ("ended", "killed")
    assert state.cost.usage.cpu_hours == pytest.approx(2.0, abs=0.01)
    assert state.cost.amount == pytest.approx(7200, abs=40)
    await local.backend.stop("stale", force=True)


async def test_a_restart_of_the_machine_is_told_from_a_kill(local: LocalPlace, bystander: processes.Process) -> None:
    _dead(local, scheduler=dataclasses.asdict(bystander), boot="another-boot")  # the same number and time, even
    state = await local.backend.get("stale")
    assert (state.phase, state.cause) == ("ended", "machine restarted")
    receipt = await local.backend.receipt("stale")
    assert receipt is not None and receipt.most_workers == 1
    written = json.loads((folder(local, "stale") / "receipt.json").read_text())
    assert written["cause"] == "machine restarted"


async def test_a_cluster_of_another_machine_is_left_alone_while_it_gives_signs_of_life(local: LocalPlace) -> None:
    _dead(local)
    change(local, "stale", host="elsewhere")  # which makes the record fresh

    state = await local.backend.get("stale")
    assert (state.phase, state.commands) == ("unreachable", [])
    assert state.problem is not None and "elsewhere" in state.problem.why
    for refused in (local.backend.address("stale"), local.backend.stop("stale", force=True)):
        with pytest.raises(ClusterUnreachable, match="elsewhere"):
            await refused
    for file in ("record.json", "ledger.jsonl"):
        os.utime(folder(local, "stale") / file, (time.time() - 3600,) * 2)
    state = await local.backend.get("stale")
    assert (state.phase, state.cause) == ("ended", "machine restarted")


async def test_ended_clusters_are_forgotten_after_a_week(local: LocalPlace) -> None:
    _dead(local, "old")
    _dead(local, "recent")
    assert len(await local.backend.clusters()) == 2
    path = folder(local, "old") / "receipt.json"
    receipt = json.loads(path.read_text())
    path.write_text(json.dumps({**receipt, "ended": receipt["ended"] - 8 * 24 * 3600}))
    assert [state.name for state in await local.backend.clusters()] == ["recent"]
    assert not folder(local, "old").exists()


@pytest.mark.parametrize("file", ["record.json", "spec.json"])
async def test_a_broken_file_hides_no_other_cluster(local: LocalPlace, file: str) -> None:
    _dead(local, "broken")
    _dead(local, "whole")
    (folder(local, "broken") / file).write_text("{")
    os.utime(folder(local, "broken") / file, (time.time() - 3600,) * 2)
    states = {state.name: state for state in await local.backend.clusters()}
    assert states["whole"].cause == "killed"
    assert (states["broken"].phase, states["broken"].cause) == ("ended", "other")
    problem = states["broken"].problem
    assert problem is not None and file in f"{problem.what} {problem.why}"
    assert (folder(local, "broken") / file).read_text() == "{"


async def test_what_ended_is_set_aside_when_its_name_is_used_again(local: LocalPlace) -> None:
    _dead(local)
    await local.backend.clusters()
    store.create(local.spec(name="stale"))
    assert (local.home / "clusters" / "stale.1" / "receipt.json").exists()
    assert [state.name for state in await local.backend.clusters()] == ["stale"]


@pytest.fixture
def small_disk(local: LocalPlace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 8 MB as the home folder."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small disk")
    local.home.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(local.home)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
    yield local.home
    asyncio.run(local.close())
    subprocess.run(["umount", "--lazy", str(local.home)], check=True)


def _fill(disk: Path) -> Path:
    path = disk / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 65536):
                pass
        except OSError:
            return path


async def test_a_full_disk_refuses_a_start_and_leaves_no_trace(local: LocalPlace, small_disk: Path) -> None:
    (small_disk / "clusters").mkdir()
    filler = _fill(small_disk)

    spec = local.spec(name="hopeful")
    with pytest.raises(StorageFull, match="Free some space"):
        await local.backend.start(spec)
    assert await local.backend.clusters() == []
    assert [path.name for path in (small_disk / "clusters").iterdir() if path.name != ".lock"] == []
    filler.unlink()
    await local.backend.start(spec)
    assert await call(local.backend, "hopeful", sum, [1]) == 1


async def test_a_running_cluster_goes_on_while_the_disk_is_full(local: LocalPlace, small_disk: Path) -> None:
    name, everything = await running(local)
    _fill(small_disk)
    assert await call(local.backend, name, sum, [1, 2]) == 3
    link = await local.backend.link(name)
    await link.scale(2)
    await workers_up(local.backend, name, 2)
    await link.close()
    await local.backend.stop(name)
    assert (await ended(local.backend, name)).cause == "user"  # there is room for that
    await all_gone(everything)


async def test_nobody_gets_in_without_the_key(local: LocalPlace, tmp_path: Path) -> None:
    tls.make_keys(tmp_path)  # another cluster's

    name, _ = await running(local)
    address = await local.backend.address(name)
    view = await workers_up(local.backend, name, 1)
    for url in (address.url, view.workers[0].address):
        host, _, port = url.removeprefix("tls://").partition(":")
        assert host == "127.0.0.1"
        for other, key in ((f"tcp://{host}:{port}", None), (url, tls.security(tmp_path))):
            with pytest.raises((OSError, CommClosedError)):
                await Client(other, security=key, asynchronous=True, timeout="3s", set_as_default=False)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await asyncio.to_thread(_refused, host, int(port), context)
    assert await call(local.backend, name, sum, [1]) == 1  # it didn't mind


def _refused(host: str, port: int, context: ssl.SSLContext) -> None:
    """Somebody without a certificate gets no byte of Dask's."""
    with (
        socket.create_connection((host, port), timeout=10) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
        context.wrap_socket(plain) as secured,
    ):
        assert secured.recv(1) == b""
        raise ConnectionError("closed")


async def test_only_the_owner_can_read_it(local: LocalPlace) -> None:
    local.home.mkdir(mode=0o755, parents=True, exist_ok=True)
    local.home.chmod(0o755)
    name, _ = await running(local)
    assert stat.S_IMODE(local.home.stat().st_mode) == 0o700
    for path in (local.home, *local.home.rglob("*")):
        assert not path.lstat().st_mode & 0o077 or path.is_relative_to(folder(local, name) / "work"), path
    assert stat.S_IMODE((folder(local, name) / "tls" / "key.pem").stat().st_mode) == 0o600


async def test_nothing_else_listens(local: LocalPlace) -> None:
    import psutil

    name, (scheduler, server, worker) = await running(local)
    address = await local.backend.address(name)
    view = await workers_up(local.backend, name, 1)
    ports = [
        (each.laddr.ip, each.laddr.port)
        for process in (scheduler, server, worker)
        for each in psutil.Process(process.pid).net_connections(kind="inet")
        if each.status == psutil.CONN_LISTEN
    ]
    told = [each.removeprefix("tls://").split(":") for each in (address.url, view.workers[0].address)]
    assert sorted(ports) == sorted((host, int(port)) for host, port in told)
    assert record(local, name)["scheduler"]["pid"] == scheduler.pid
    assert processes.alive(scheduler)
