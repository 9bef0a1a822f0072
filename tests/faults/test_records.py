"""Records that no longer say what is, disks that are full, people who shouldn't be there."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client
from distributed.comm import CommClosedError

from jupyter_mlops.controller.roles import ROLES
from jupyter_mlops.core.errors import ClusterUnreachable, Conflict, MlopsError, StorageFull
from jupyter_mlops.core.ledger import LedgerEntry
from jupyter_mlops.places.local import processes, store, tls
from jupyter_mlops.places.local import record as record_module
from jupyter_mlops.places.local.whereabouts import MACHINES_OWN, Whereabouts, uptime

from ..places.place import LocalPlace, call, ended, workers_up
from .processes import GONE, all_gone, change, folder, record, running

pytestmark = pytest.mark.slow

#: A machine, as a process on it that is in no container sees it.
MACHINE = Whereabouts("lab", "0123456789abcdef", "today", MACHINES_OWN)


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


def _silent_for(local: LocalPlace, name: str, seconds: float) -> None:
    for file in ("record.json", "ledger.jsonl"):
        os.utime(folder(local, name) / file, (time.time() - seconds,) * 2)


async def test_a_restart_of_the_machine_is_told_from_a_kill(
    local: LocalPlace, bystander: processes.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_module, "here", lambda: MACHINE)
    _dead(local, scheduler=dataclasses.asdict(bystander), **dataclasses.asdict(MACHINE))
    change(local, "stale", boot="another")  # the same number and time, even
    assert (await local.backend.get("stale")).phase == "unreachable", "it has shown itself since this machine started"
    _silent_for(local, "stale", uptime() + 60)
    state = await local.backend.get("stale")
    assert (state.phase, state.cause) == ("ended", "machine restarted")
    receipt = await local.backend.receipt("stale")
    assert receipt is not None and receipt.most_workers == 1
    written = json.loads((folder(local, "stale") / "receipt.json").read_text())
    assert written["cause"] == "machine restarted"


@pytest.mark.parametrize(
    ("other", "distance"),
    [
        ({}, "here"),
        ({"host": "renamed"}, "here"),
        ({"numbers": "pid:[4026532200]"}, "beside"),
        ({"boot": "earlier"}, "before"),
        ({"boot": "earlier", "host": "renamed"}, "before"),
        ({"boot": "earlier", "machine": "another"}, "elsewhere"),
        ({"boot": "earlier", "machine": ""}, "elsewhere"),  # as containers have it
        ({"boot": "earlier", "numbers": "pid:[4026532200]"}, "elsewhere"),  # two of one image, by one name
        ({"boot": ""}, "elsewhere"),
        ({"machine": "", "numbers": ""}, "here"),  # of a version that didn't ask
        ({"machine": "", "numbers": "", "host": "renamed"}, "beside"),
        ({"machine": "", "numbers": "", "boot": "earlier"}, "elsewhere"),
    ],
)
def test_who_may_judge_whether_a_cluster_lives(other: dict[str, str], distance: str) -> None:
    assert dataclasses.replace(MACHINE, **other).seen_from(MACHINE) == distance


async def test_a_cluster_of_another_machine_is_ended_only_by_somebody_who_says_so(local: LocalPlace) -> None:
    _dead(local, hours=0.5)
    work = folder(local, "stale") / "work"
    change(local, "stale", host="elsewhere", boot="another", machine="another")  # which makes the record fresh

    state = await local.backend.get("stale")
    assert (state.phase, state.commands) == ("unreachable", [])
    assert state.problem is not None and state.problem.why == "it runs on the machine elsewhere"
    for refused in (local.backend.address("stale"), local.backend.stop("stale", force=True)):
        with pytest.raises(ClusterUnreachable, match="elsewhere"):
            await refused
    _silent_for(local, "stale", 7200)
    for _ in range(2):
        (state,) = await local.backend.clusters()
        assert (state.phase, state.commands) == ("unreachable", ["stop"])
        assert state.problem is not None and "no sign of life for 2 h" in state.problem.why
        assert state.cost.amount == pytest.approx(3600, abs=40), "what it cost until then"
    for refused in (local.backend.forget("stale"), local.backend.start(local.spec(name="stale"))):
        with pytest.raises(Conflict):
            await refused
    assert not (folder(local, "stale") / "receipt.json").exists()
    await local.backend.stop("stale")
    state = await local.backend.get("stale")
    assert (state.phase, state.cause) == ("ended", "user")
    assert state.cost.amount == pytest.approx(3600, abs=40)
    assert work.is_dir(), "it may be in use"
    await local.backend.forget("stale")


async def test_a_cluster_whose_end_was_written_elsewhere_ends(local: LocalPlace) -> None:
    name, everything = await running(local)
    shutil.copy(folder(local, name) / "spec.json", folder(local, name) / "receipt.json")  # whatever it says
    await all_gone(everything)
    state = await local.backend.get(name)
    assert (state.phase, state.cause) == ("ended", "user")


def _apart(kind: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of ours in namespaces of its own, as a container has them."""
    if (
        not shutil.which("unshare")
        or subprocess.run(["unshare", *kind.split(), "true"], capture_output=True).returncode
    ):
        pytest.skip("namespaces can't be made here")
    command = ["unshare", *kind.split(), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


MLOPS = (sys.executable, "-m", "jupyter_mlops.cli.main")


async def test_another_container_on_the_same_home_ends_nothing_that_lives(local: LocalPlace) -> None:
    name, everything = await running(local)
    container = "--pid --fork --mount-proc"
    for _ in range(2):
        listed = _apart(container, *MLOPS, "list", "--json")
        (row,) = json.loads(listed.stdout)
        assert (row["phase"], row["problem"]["why"]) == ("unreachable", "it runs in another container on this machine")
    stopped = _apart(container, *MLOPS, "stop", "--force", name)
    assert stopped.returncode == 1 and "in another container" in stopped.stderr
    assert await call(local.backend, name, sum, [1, 2]) == 3
    assert all(map(processes.alive, everything))
    os.kill(everything[0].pid, signal.SIGKILL)
    await all_gone(everything)
    (row,) = json.loads(_apart(container, *MLOPS, "list", "--all", "--json").stdout)
    assert (row["phase"], row["cause"]) == ("ended", "killed")


async def test_a_machine_with_a_new_name_has_its_clusters_still(local: LocalPlace) -> None:
    name, everything = await running(local)
    renamed = _apart("--uts", "sh", "-c", f"hostname renamed; {' '.join(MLOPS)} scale {name} 1")
    assert renamed.returncode == 0, renamed.stderr
    stopped = _apart("--uts", "sh", "-c", f"hostname renamed; {' '.join(MLOPS)} stop {name}")
    assert stopped.returncode == 0, stopped.stderr
    assert (await local.backend.get(name)).cause == "user"
    await all_gone(everything)


#: Reading it is an error of the disk, whoever reads.
BAD_SECTOR = "/proc/self/mem"


async def test_what_the_disk_refuses_ends_no_live_cluster(local: LocalPlace) -> None:
    name, everything = await running(local)
    for file in ("spec.json", "record.json", "receipt.json", "ledger.jsonl", "events.jsonl", "../.lock"):
        path = folder(local, name) / file
        kept = path.read_bytes() if path.exists() else None
        path.unlink(missing_ok=True)
        path.symlink_to(BAD_SECTOR)
        (state,) = await local.backend.clusters()
        assert state.phase == ("unreachable" if file == "record.json" else "running"), file
        assert all(map(processes.alive, everything)) and (folder(local, name) / "work").is_dir()
        with pytest.raises(MlopsError):
            await local.backend.start(local.spec(name=name))
        path.unlink()
        if kept is not None:
            path.write_bytes(kept)
    assert await call(local.backend, name, sum, [1, 2]) == 3
    assert (await local.backend.get(name)).phase == "running"


@pytest.mark.parametrize("file", ["spec.json", "record.json", "receipt.json", "ledger.jsonl", "runs.jsonl", ".lock"])
async def test_what_the_disk_refuses_is_no_receipt(local: LocalPlace, file: str) -> None:
    """A cluster that died gets its receipt when all that it is made of can be read."""
    _dead(local)
    path = folder(local, "stale") / file if file != ".lock" else local.home / "clusters" / file
    kept = path.read_bytes() if path.exists() else None
    path.unlink(missing_ok=True)
    path.symlink_to(BAD_SECTOR if file != ".lock" else "/nowhere/at/all")
    for _ in range(2):
        (state,) = await local.backend.clusters()
        assert state.phase == "unreachable" if file == "record.json" else "ended"
        assert file == ".lock" or (state.problem is not None and file in f"{state.problem.what}")
    path.unlink()
    assert not (folder(local, "stale") / "receipt.json").exists()
    if kept is not None:
        path.write_bytes(kept)
        os.utime(path, (time.time() - 3600,) * 2)
    (state,) = await local.backend.clusters()
    assert (state.phase, state.cause, state.problem and state.problem.why) == (
        "ended",
        "killed",
        "its scheduler was ended from outside",
    )
    assert state.cost.amount == pytest.approx(7200, abs=40)


def test_a_process_that_cannot_be_looked_at_is_not_gone() -> None:
    """A server with too many open files looks for its clusters."""
    program = """
import os, resource
from jupyter_mlops.places.local import processes
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
found = processes.look(os.getppid())
opened = []
try:
    while True:
        opened.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
try:
    print(processes.alive(found))
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "Too many open files\n", done.stderr


async def test_ended_clusters_are_forgotten_after_a_week(local: LocalPlace) -> None:
    _dead(local, "old")
    _dead(local, "recent")
    assert len(await local.backend.clusters()) == 2
    path = folder(local, "old") / "receipt.json"
    receipt = json.loads(path.read_text())
    path.write_text(json.dumps({**receipt, "ended": receipt["ended"] - 8 * 24 * 3600}))
    assert [state.name for state in await local.backend.clusters()] == ["recent"]
    assert not folder(local, "old").exists()


@pytest.mark.parametrize(("file", "phase"), [("record.json", "unreachable"), ("spec.json", "ended")])
async def test_a_broken_file_hides_no_other_cluster(local: LocalPlace, file: str, phase: str) -> None:
    _dead(local, "broken")
    _dead(local, "whole")
    (folder(local, "broken") / file).write_text("{")
    os.utime(folder(local, "broken") / file, (time.time() - 3600,) * 2)
    states = {state.name: state for state in await local.backend.clusters()}
    assert states["whole"].cause == "killed"
    assert states["broken"].phase == phase
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
        for other, key in ((f"tcp://{host}:{port}", None), (url, tls.security(tmp_path, *ROLES))):
            with pytest.raises((OSError, CommClosedError)):
                await Client(other, security=key, asynchronous=True, timeout="3s", set_as_default=False)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await asyncio.to_thread(_refused, host, int(port), context)
    assert await call(local.backend, name, sum, [1]) == 1  # it didn't mind


def _refused(host: str, port: int, context: ssl.SSLContext) -> None:
    """Somebody without a certificate gets no byte of Dask's."""
    with (
        socket.create_connection((host, port), timeout=GONE) as plain,
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
        with contextlib.suppress(FileNotFoundError):  # it has just taken another's place
            assert not path.lstat().st_mode & 0o077 or path.is_relative_to(folder(local, name) / "work"), path
    assert stat.S_IMODE((folder(local, name) / "tls" / "client.key.pem").stat().st_mode) == 0o600


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
