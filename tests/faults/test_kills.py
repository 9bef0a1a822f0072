"""`kill -9` at random moments, of any process that there is: nothing is left over, no record is wrong, and nothing ends
that lives.

The moments and the victims are drawn from a seed. `JUPYTER_MLOPS_KILLS=50` asks for more rounds than the suite has
time for, `JUPYTER_MLOPS_KILLS_SEED=7` for other ones.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

import jupyter_mlops as mlops
from jupyter_mlops import places
from jupyter_mlops.client.clusters.kernel import kernel, loop_thread
from jupyter_mlops.core.cluster import ClusterState
from jupyter_mlops.core.run import FINAL
from jupyter_mlops.home.runs import read_runs
from jupyter_mlops.places.local import processes
from jupyter_mlops.places.local.folder import Folder

from ..runs.cluster import until as until_within

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("mlflow")]

#: By its seed, the suite's own rounds are those that no other test has: user, scheduler, starter and server.
ROUNDS = int(os.environ.get("JUPYTER_MLOPS_KILLS", "4"))
SEED = int(os.environ.get("JUPYTER_MLOPS_KILLS_SEED", "294"))

#: Seconds that anything may take on a machine where many other things are started.
PATIENCE = 300.0

#: Other extensions of a Jupyter server, which only take time.
OTHERS = ("jupyterlab", "jupyter_lsp", "jupyter_server_proxy", "jupyter_server_terminals", "notebook", "notebook_shim")

#: Seconds within which the moment of a kill is drawn.
SPREAD = 1.5

#: What a user does meanwhile: maps, each of which must be right, and a run that goes on without her.
USER = """
import sys, time
import jupyter_mlops as mlops

def square(number):
    time.sleep(0.02)
    return number * number

detached = mlops.map(square, range(100), cluster=sys.argv[1], detach=True)
print("detached", detached.id, flush=True)
while True:
    assert list(mlops.map(square, range(30), cluster=sys.argv[1]).result()) == [n * n for n in range(30)]
    print("right", flush=True)
"""


def until(true: Callable[[], Any]) -> None:
    """Wait until `true()`."""
    until_within(true, PATIENCE)


class Scene:
    """A Jupyter server, a cluster that is never touched, one that is, and somebody who uses that one."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home, self.folder = home, folder
        self.token = "only-here"
        self.server: subprocess.Popen[bytes] | None = None
        self.user: subprocess.Popen[str] | None = None
        self.number = 0
        self.witness = self.start("witness")
        self.untouched = {processes.look(pid) for pid in processes.of_cluster(self.mark("witness"))}
        self.prey: str | None = None
        self.detached = ""

    def start(self, name: str) -> mlops.Cluster:
        made = mlops.start("gentle", name=name, workers=1)
        made.wait(1, PATIENCE)
        return made

    def states(self) -> dict[str, ClusterState]:
        """All clusters, those that ended too."""
        return {state.name: state for state in loop_thread().call(places.get("local").clusters())}

    def record(self, name: str) -> Any:
        return Folder(self.home / "clusters" / name).record()

    def mark(self, name: str) -> str:
        return str(self.record(name).mark)

    def set(self) -> None:
        """Start what the last round has ended."""
        if self.server is None:
            self._serve()
        if self.prey is None:
            self.number += 1
            self.prey = f"prey-{self.number}"
            self.start(self.prey)
        if self.user is None:
            self.user = subprocess.Popen(
                [sys.executable, "-c", USER, self.prey], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            self.detached = self.heard("detached").split()[1]
        self.heard("right")

    def heard(self, word: str) -> str:
        """The next line of the user's that begins so."""
        assert self.user is not None and self.user.stdout is not None
        for line in self.user.stdout:
            if line.startswith(word):
                return line
        raise AssertionError(f"the user's work broke off: {self.user.communicate()[1]}")

    def _serve(self) -> None:
        self.port = _free_port()
        options = {
            "ip": "127.0.0.1",
            "port": self.port,
            "port_retries": 0,
            "open_browser": False,
            "allow_root": True,
            "root_dir": str(self.folder),
            "jpserver_extensions": {"jupyter_mlops": True, **dict.fromkeys(OTHERS, False)},
        }
        words = [f"--ServerApp.{name}={value}" for name, value in options.items()]
        with (self.folder / "server.log").open("ab") as log:
            self.server = subprocess.Popen(
                [sys.executable, "-m", "jupyter_server", f"--IdentityProvider.token={self.token}", *words],
                stdout=log,
                stderr=log,
            )
        until(self._answers)

    def _answers(self) -> bool:
        assert self.server is not None and self.server.poll() is None, (self.folder / "server.log").read_text()
        with suppress(OSError):
            self.ask("GET")
            return True
        return False

    def ask(self, method: str, **body: Any) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/jupyter-mlops/clusters",
            json.dumps(body).encode() if body else None,
            {"Authorization": f"token {self.token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def found(self, kind: str) -> list[psutil.Process]:
        """The processes of a kind that are there now."""
        with suppress(psutil.NoSuchProcess):
            return self._look_for(kind)
        return []

    def _look_for(self, kind: str) -> list[psutil.Process]:
        assert self.prey is not None and self.user is not None and self.server is not None
        if kind in ("user", "server"):
            return [psutil.Process({"user": self.user, "server": self.server}[kind].pid)]
        record = self.record(self.prey)
        if kind in ("scheduler", "forkserver"):
            return [psutil.Process(getattr(record, kind).pid)]
        if kind == "recorder":
            return [each for each in psutil.Process(self.user.pid).children() if _says(each, "tracking.sync")]
        if kind == "worker":
            return psutil.Process(record.forkserver.pid).children()
        forks = [psutil.Process(pid) for pid in processes.of_cluster(record.mark)]
        forks = [each for each in forks if _says(each, "template.start")]
        pids = {each.pid for each in forks}
        return [each for each in forks if (each.ppid() in pids) == (kind == "runner")]


def _free_port() -> int:
    """One below those that the system gives meanwhile to all else that starts here."""
    while True:
        port = random.SystemRandom().randrange(10_000, 30_000)
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


def _says(process: psutil.Process, words: str) -> bool:
    with suppress(psutil.Error):
        return words in " ".join(process.cmdline())
    return False


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.chdir(tmp_path)
    made = Scene(tmp_path / "home", tmp_path)
    yield made
    for process in (made.user, made.server):
        if process is not None:
            process.kill()
            process.communicate()
    for name, state in made.states().items():
        if state.phase != "ended":
            loop_thread().call(places.get("local").stop(name))
        loop_thread().call(kernel().sessions.close(name))
    until(lambda: not _of(made.home))


def _of(home: Path) -> list[psutil.Process]:
    """All processes that belong to a home folder, but for this one and its children."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            ours = os.getpid() in (process.pid, process.ppid()) or process.status() == psutil.STATUS_ZOMBIE
            if not ours and process.environ().get("JUPYTER_MLOPS_HOME") == str(home):
                found.append(process)
    return found


@pytest.mark.timeout(PATIENCE + 150 * ROUNDS)
def test_kills_at_random_moments(scene: Scene) -> None:
    draw = random.Random(SEED)
    kinds = ["scheduler", "server", "user", "start", "runner", "template", "worker", "forkserver", "recorder"]
    order = [kind for _ in range(-(-ROUNDS // len(kinds))) for kind in draw.sample(kinds, len(kinds))][:ROUNDS]
    for number, kind in enumerate(order):
        print(f"round {number}: {kind}", file=sys.stderr)
        scene.set()
        AFTER[kind](scene, draw)
        _check_untouched(scene)
    _check_records(scene)


def _kill_one(scene: Scene, draw: random.Random, kind: str) -> int:
    """Kill one of that kind at a random moment; its number."""
    time.sleep(draw.random() * SPREAD)
    until(lambda: scene.found(kind))
    while True:
        victim = draw.choice(scene.found(kind) or [None])
        with suppress(psutil.NoSuchProcess):
            if victim is not None:
                victim.send_signal(signal.SIGKILL)
                return int(victim.pid)


def _scheduler(scene: Scene, draw: random.Random) -> None:
    assert scene.prey is not None and scene.user is not None
    mark = scene.mark(scene.prey)
    _kill_one(scene, draw, "scheduler")
    errors = scene.user.communicate(timeout=PATIENCE)[1]
    assert "RunLost" in errors or "ClusterEnded" in errors or "ClusterUnreachable" in errors, errors
    _ended(scene, scene.prey, mark, {"killed"})
    assert mlops.get_run(scene.detached).state in ("done", "lost")
    scene.user = scene.prey = None


def _server(scene: Scene, draw: random.Random) -> None:
    assert scene.server is not None
    scene.number += 1
    name = f"served-{scene.number}"
    scene.ask("POST", profile="gentle", name=name)
    time.sleep(draw.random() * SPREAD)
    scene.server.kill()
    scene.server.wait()
    scene.server = None
    _made_or_not(scene, name)
    scene.set()
    until(lambda: {"witness", scene.prey} <= {row["name"] for row in scene.ask("GET") if row["phase"] == "running"})


def _user(scene: Scene, draw: random.Random) -> None:
    assert scene.user is not None
    recorders = scene.found("recorder")
    _kill_one(scene, draw, "user")
    scene.user.communicate()
    scene.user = None
    assert mlops.get_run(scene.detached).result(PATIENCE) == [number * number for number in range(100)]
    until(lambda: not any(map(psutil.Process.is_running, recorders)))


def _start(scene: Scene, draw: random.Random) -> None:
    scene.number += 1
    name = f"started-{scene.number}"
    command = [sys.executable, "-m", "jupyter_mlops.cli.main", "start", "gentle", "--name", name]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        if draw.random() < 0.8:  # while it makes the cluster: else at any time
            folder = scene.home / "clusters" / name
            until(lambda: folder.exists() or started.poll() is not None)
        time.sleep(draw.random() * SPREAD * draw.random())
        started.kill()
    _made_or_not(scene, name)


def _made_or_not(scene: Scene, name: str) -> None:
    """A cluster whose starter was killed is whole, or it has ended, or there is none."""
    if name not in scene.states():
        return
    mark = scene.mark(name)
    until(lambda: scene.states()[name].phase in ("running", "ended"))
    if scene.states()[name].phase == "running":
        assert mlops.run(abs, -7, cluster=name, quiet=True).result(PATIENCE) == 7
        mlops.cluster(name).stop()
    _ended(scene, name, mark, {"failed", "user"})
    loop_thread().call(kernel().sessions.close(name))


def _part(kind: str) -> Callable[[Scene, random.Random], None]:
    """What a cluster, or who uses it, can do without: all goes on, and is right."""

    def kill(scene: Scene, draw: random.Random) -> None:
        assert scene.prey is not None
        scheduler = scene.record(scene.prey).scheduler
        pid = _kill_one(scene, draw, kind)
        for _ in range(3):  # those that were on their way, and one from its beginning
            scene.heard("right")
        assert mlops.get_run(scene.detached).result(PATIENCE) == [number * number for number in range(100)]
        assert scene.record(scene.prey).scheduler == scheduler and processes.alive(scheduler)
        until(lambda: scene.found(kind) and pid not in {each.pid for each in scene.found(kind)})

    return kill


AFTER: dict[str, Callable[[Scene, random.Random], None]] = {
    **{kind: _part(kind) for kind in ("runner", "template", "worker", "forkserver", "recorder")},
    "scheduler": _scheduler,
    "server": _server,
    "user": _user,
    "start": _start,
}


def _ended(scene: Scene, name: str, mark: str, causes: set[str]) -> None:
    """It has ended, for one of the causes, and none of its processes is left."""
    until(lambda: scene.states()[name].phase == "ended")
    state = scene.states()[name]
    assert state.cause in causes, state
    until(lambda: not processes.of_cluster(mark))
    receipt = Folder(scene.home / "clusters" / name).receipt()
    assert receipt is not None and receipt.created <= receipt.ended <= time.time() + 1
    assert receipt.cost.usage.cpu_hours * 3600 <= (receipt.ended - receipt.created) * 2


def _check_untouched(scene: Scene) -> None:
    assert all(process is not None and processes.alive(process) for process in scene.untouched)
    assert scene.states()["witness"].phase == "running"


def _check_records(scene: Scene) -> None:
    """All that was written can be read, and says how it was."""
    live = {"witness", scene.prey}
    for state in scene.states().values():
        assert not state.unreadable and (state.phase == "ended") == (state.name not in live), state
    # beside the lock there may be what a starter left that was killed: whoever comes next throws it away
    folders = {path.name for path in (scene.home / "clusters").iterdir() if not path.name.startswith(".")}
    assert folders == set(scene.states())
    if scene.user is not None:
        scene.user.kill()
        scene.user.communicate()
        scene.user = None
    until(lambda: all(mlops.get_run(run.id).state in FINAL for run in read_runs()))
    for run in read_runs():
        assert run.problem is None and run.failed == 0, run
        assert run.phase != "done" or run.done == run.total, run
    until(lambda: _in_mlflow(scene) >= {run.id for run in read_runs() if run.phase == "done"})


def _in_mlflow(scene: Scene) -> set[str]:
    """The runs that are there, each once, when all that is late was brought."""
    subprocess.run([sys.executable, "-m", "jupyter_mlops.tracking.sync"], check=True, timeout=PATIENCE)
    with closing(sqlite3.connect(scene.home / "mlflow.sqlite", isolation_level=None)) as store:
        found = [row[0] for row in store.execute("SELECT value FROM tags WHERE key = 'mlops.run'")]
    assert len(found) == len(set(found)), "a run is in MLflow twice"
    return set(found)
