"""Processes for runs: forked from a template or fresh, they do the same, and leave nothing."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import psutil
import pytest

from jupyter_mlops.agent import missing, processes, surroundings
from jupyter_mlops.agent.processes import Forked, Fresh
from jupyter_mlops.agent.seat import Died, RunnerHandle
from jupyter_mlops.agent.template import LINGER
from jupyter_mlops.controller.runs.install import agent_texts

from ..runs.cluster import is_gone, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux")


class Said:
    """Takes what runners write."""

    def __init__(self) -> None:
        self.text = ""
        self.logged: list[tuple[dict[str, Any], int]] = []

    def print(self, stream: str, text: str) -> None:
        self.text += text

    def points(self, columns: dict[str, Any], left_out: int) -> None:
        self.logged.append((columns, left_out))


Make = Callable[[type[Forked] | type[Fresh]], RunnerHandle]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Make]:
    """Makes runners that import from `tmp_path`, too; that path gives them a template of the test's own."""
    processes.TEXTS.update(agent_texts())
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def new(kind: type[Forked] | type[Fresh]) -> RunnerHandle:
        runner = RunnerHandle(kind(), Said())  # type: ignore[arg-type]  # it needs no more of a reporter
        made.append(runner)
        return runner

    yield new
    for runner in made:
        runner.close()


def call(runner: RunnerHandle, function: Callable[[], Any]) -> Any:
    """Have a new runner call a function; what that gave."""
    outcome = outcome_of(runner, function)
    assert not outcome.get("errors"), outcome
    if outcome["modules"]:
        runner.process.learn(outcome["modules"])
    return pickle.loads(outcome["value"])


def outcome_of(runner: RunnerHandle, function: Callable[[], Any], **more: Any) -> Any:
    """All that a new runner says of a function; `more` is what its run's head has besides."""
    head = {"run": "r", "kind": "function", "modules": {}, "sources": {}, "filename": "", "retries": 0, "keep": False}
    worker = {"name": "w", "address": "", "scheduler": "", "local_directory": "", "nthreads": 1, "keys": {}}
    runner.open(
        {
            "code": pickle.dumps({**head, **more, "body": cloudpickle.dumps(function)}),
            "environ": dict(os.environ),
            "path": sys.path,
            "folder": str(Path.cwd()),
            "worker": worker,
        }
    )
    runner.send({"index": 0})
    return runner.hear()


@pytest.mark.parametrize("kind", [Forked, Fresh])
def test_both_kinds_do_the_same(make: Make, kind: type[Forked] | type[Fresh]) -> None:
    runner = make(kind)

    def work() -> tuple[int, str]:
        return os.getpid(), __name__

    assert call(runner, work)[0] == runner.process.pid != os.getpid()


@pytest.mark.parametrize("kind", [Forked, Fresh])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_how_it_ended_is_known(make: Make, kind: type[Forked] | type[Fresh], number: signal.Signals) -> None:
    runner = make(kind)
    runner.process.signal(number)
    with pytest.raises(Died):
        runner.hear()
    assert runner.process.end().code == -number


@pytest.mark.parametrize("kind", [Forked, Fresh])
def test_what_it_has_started_ends_with_it(make: Make, kind: type[Forked] | type[Fresh]) -> None:
    runner = make(kind)

    def start() -> int:
        import subprocess

        return subprocess.Popen(["sleep", "600"]).pid

    child = call(runner, start)
    assert psutil.pid_exists(child)
    runner.process.close()
    until(lambda: is_gone(child))
    until(lambda: not psutil.pid_exists(runner.process.pid))


@pytest.mark.parametrize("kind", [Forked, Fresh])
def test_code_that_closes_its_files_and_goes_on_is_ended(make: Make, kind: type[Forked] | type[Fresh]) -> None:
    runner = make(kind)

    def close() -> None:
        os.closerange(3, 256)
        time.sleep(600)

    with pytest.raises(Died):
        call(runner, close)
    assert runner.process.end().code == -signal.SIGKILL


def test_the_template_learns_what_runs_import(make: Make) -> None:
    def had() -> bool:
        had_before = "this" in sys.modules
        import contextlib
        import io

        with contextlib.redirect_stdout(io.StringIO()):
            import this  # noqa: F401 - nobody else imports it
        return had_before

    first = make(Forked)
    assert not call(first, had)
    until(lambda: first.process.outdated)
    time.sleep(LINGER + 1.0)  # nobody has come to the heir yet: it waits as long as the one before it has runners
    assert call(make(Forked), had)


#: What a process that forks others must not have, as the text of a module.
UNSAFE = {
    "threaded": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "connected": "import socket\nmine, other = socket.socketpair()",
    "leaving": "import os\nos._exit(0)",
    "dying": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "failing": "raise SystemExit",
    "stubborn": "import signal\nsignal.raise_signal(signal.SIGALRM)",  # as one that takes too long
}


def test_what_is_not_safe_to_fork_is_not_learned_and_all_else_is(make: Make, tmp_path: Path) -> None:
    for name, text in UNSAFE.items():
        (tmp_path / f"{name}.py").write_text(text)
    for name in ("aloof", "zealous"):
        (tmp_path / f"{name}.py").write_text("")
    processes.learn(sorted([*UNSAFE, "aloof", "zealous", "nowhere"]), {}, lambda: True)
    runner = make(Forked)
    template = psutil.Process(runner.process.pid).ppid()
    assert call(runner, lambda: sorted({*UNSAFE, "aloof", "zealous"} & set(sys.modules))) == ["aloof", "zealous"]
    processes.learn([*UNSAFE, "nowhere"], {}, lambda: True)  # what was in vain once is not tried for each run
    assert psutil.Process(make(Forked).process.pid).ppid() == template


def test_who_is_stopped_does_not_wait_for_what_is_learned(make: Make, tmp_path: Path) -> None:
    (tmp_path / "quick.py").write_text("")
    (tmp_path / "slow.py").write_text(
        f"import pathlib, time\nhere = pathlib.Path({str(tmp_path)!r})\n(here / 'begun').touch()\n"
        "while not (here / 'enough').exists():\n    time.sleep(0.01)\n"
    )
    processes.learn(["quick"], {}, lambda: True)
    processes.learn(["slow"], {}, lambda: not (tmp_path / "begun").exists())
    processes.learn(["quick"], {}, lambda: True)  # nor does who needs nothing new
    (tmp_path / "enough").touch()
    assert call(make(Forked), lambda: "quick" in sys.modules)


def test_who_has_changed_variables_has_a_template_that_imports_with_them(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_CHOICE", "the worker's")
    (tmp_path / "choosy.py").write_text("import os\nchosen = os.environ.get('A_CHOICE', 'none')")

    def chosen() -> str:
        import choosy  # type: ignore[import-not-found]  # it is made here

        return str(choosy.chosen)

    cases: list[tuple[surroundings.Changes, str]]
    cases = [({}, "the worker's"), ({"A_CHOICE": "mine"}, "mine"), ({"A_CHOICE": None}, "none")]
    for environ, expected in cases:
        processes.learn(["choosy"], environ, lambda: True)
        runner = RunnerHandle(Forked(environ), Said())  # type: ignore[arg-type]  # it needs no more of a reporter
        try:
            assert call(runner, chosen) == expected
        finally:
            runner.close()


def test_variables_that_are_only_the_workers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OURS", "HANDED_ON", "OF_THE_PROFILE", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    assert surroundings.handed_on()["HANDED_ON"] == "1"
    monkeypatch.delenv("HANDED_ON")
    here = surroundings.here()
    assert "HANDED_ON" in here["removed"] and "OURS" not in here["removed"]

    monkeypatch.setenv(surroundings.GIVEN, "OF_THE_PROFILE")
    here["removed"] = ["OURS", "OF_THE_PROFILE", "OMP_NUM_THREADS", "NOBODYS"]
    assert surroundings.removed_here(here) == ["OURS"]
    elsewhere: surroundings.Surroundings = {**here, "machine": "another"}
    assert surroundings.removed_here(elsewhere) == []
    here["environ"] = {"A": "1", "PYTEST_CURRENT_TEST": "test_a (call)"}
    assert surroundings.for_imports(here) == {"A": "1", "OURS": None}


def test_what_was_learned_is_in_memory_once(make: Make) -> None:
    def private() -> int:
        import pandas as pd

        assert len(pd.DataFrame({"a": range(10)})) == 10
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))

    alone = call(make(Fresh), private)
    processes.learn(["pandas"], {}, lambda: True)
    runners = [make(Forked) for _ in range(2)]
    assert [call(runner, private) < 0.5 * alone for runner in runners] == [True, True]


@pytest.mark.parametrize(
    ("path", "machine", "missed"),
    [
        ("table.csv", "another", "/of/mine/table.csv"),
        ("../table.csv", "another", "/of/mine/../table.csv"),
        ("/of/mine/table.csv", "another", "/of/mine/table.csv"),
        ("/of/others/table.csv", "another", None),
        ("table.csv", surroundings.machine(), "/of/mine/table.csv"),  # the folder was removed
        (f"{Path.cwd()}/table.csv", "another", "/of/mine/table.csv"),  # some libraries name it in full
    ],
)
def test_a_file_that_is_missed_since_the_folder_is_not_there_is_known(
    make: Make, path: str, machine: str, missed: str | None
) -> None:
    def read() -> None:
        try:
            Path(path).read_text()
        except OSError as error:
            raise ValueError("no table") from error

    there = {"machine": machine, "folder": "/of/mine", "environ": {}, "path": []}
    (error,) = outcome_of(make(Forked), read, surroundings=there)["errors"]
    known = {"file": missed, "files": [missed], "folder": "/of/mine", "ran_in": str(Path.cwd())} if missed else None
    assert error["error"] == "ValueError: no table" and error.get("missed") == known


def test_a_file_that_an_error_names_in_its_text_only_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As numpy, polars, h5py, PyArrow, DuckDB, LightGBM, GDAL and pandas write it, in this order."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(missing, "_away", "/of/mine")
    errors = {
        FileNotFoundError("table.csv not found."): "table.csv",
        FileNotFoundError("No such file or directory (os error 2): table.csv"): "table.csv",
        FileNotFoundError("Unable to open file (unable to open file: name = 'my table.h5', errno = 2)"): "my table.h5",
        FileNotFoundError(2, f"Failed to open local file '{tmp_path}/my table.csv'. Detail: none"): "my table.csv",
        RuntimeError('IO Error: No files found that match the pattern "data/table.csv"'): "data/table.csv",
        RuntimeError("Could not open table.txt"): "table.txt",
        RuntimeError("table.tif: No such file or directory"): "table.tif",
        OSError("Cannot save file into a non-existent directory: 'out'"): "out",
    }
    for error, name in errors.items():
        assert f"/of/mine/{name}" in missing.missed([error])["files"], error
    for other in (KeyError("data"), ValueError("s3://of/another.csv")):
        assert not missing.missed([other]), other
    (tmp_path / "table.csv").touch()
    assert not missing.missed([RuntimeError("table.csv: not a table")])


def test_a_template_ends_when_nobody_needs_it(make: Make) -> None:
    runner = make(Forked)
    template = psutil.Process(runner.process.pid).parent()
    assert template is not None and template.pid != os.getpid()
    runner.process.close()
    until(lambda: is_gone(template.pid))


def test_runners_end_with_their_worker(make: Make) -> None:
    """The worker is killed: the template hears its connection end."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        runner = Forked()
        os.write(theirs, str(runner.pid).encode())
        time.sleep(600)
    orphan = int(os.read(ours, 100))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    until(lambda: not psutil.pid_exists(orphan))
    os.close(ours)
    os.close(theirs)
