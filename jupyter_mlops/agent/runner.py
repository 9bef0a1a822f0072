"""A runner: the process that executes the tasks of one run for one worker thread, and ends with the run.

What the code does to its process (its folder, environment, warnings, seeds, loggers, figures) is gone with it.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import faulthandler
import io
import os
import pickle
import random
import signal
import sys
from pathlib import Path
from typing import Any

from . import buffers, clients, displays, mainmodule, missing, settings, sources, stacks, surroundings
from .checkpoints import OfRank
from .code import Code
from .failures import RunStopped, record
from .kinds import KINDS, OURS, Kind, Outcome
from .leaving import Stopping
from .points import LONGEST_KEY, PointsOut
from .rendezvous import Meeting
from .steps import StepsOut
from .trial import TrialHere
from .wire import Message, Wire

#: The runner of this process; None where there is none.
RUNNER: Runner | None = None


def main(wire: Wire, out: int, err: int, points: int) -> None:
    """Execute what comes over `wire` until it is hung up; what is written to the process's outputs goes to `out` and
    `err`, what the code logs to `points`."""
    if os.getsid(0) != os.getpid():  # a fork of the template
        os.setsid()  # a group of its own, so that what the user's code starts ends with it
    _be_killed_first()
    _take_outputs(out, err)
    signal.signal(signal.SIGINT, _stop)
    with contextlib.suppress(RunStopped):
        opened = wire.receive()
        if opened is not None:
            Runner(wire, opened, wire.files, PointsOut(points)).serve()
    with contextlib.suppress(BaseException):  # folders for a while, clients, pools: whoever made them has asked for it
        atexit._run_exitfuncs()  # noqa: SLF001 - as multiprocessing's processes do
    _flush()


class Runner:
    """Executes the tasks of a run.

    Parameters
    ----------
    wire : to the seat.
    opened : what the seat says of the run and of its worker.
    files : the run's big variables, what a rank is given of its own, the file that takes stacks, and the socket at
        which rank 0 meets the others.
    points : takes what the code logs.
    """

    def __init__(self, wire: Wire, opened: Message, files: list[int], points: PointsOut) -> None:
        global RUNNER
        RUNNER = self
        self._wire, self._files, self.points = wire, files, points
        listener = files.pop() if opened.get("rank", {}).get("listens") else -1
        stacks.heed(files.pop())
        self._given = files.pop() if opened.get("rank", {}).get("given") else -1
        self._head: dict[str, Any] = pickle.loads(opened["code"])  # noqa: S301 - plain data of ours
        #: The id of the run.
        self.run: str = self._head["run"]
        #: The worker's, in Dask.
        self.address: str = opened["worker"]["address"]
        self._kind: Kind | None = None
        #: Of a rank.
        self.checkpoints: OfRank | None = None
        self.stopping: Stopping | None = None
        self.meeting: Meeting | None = None
        self.steps: StepsOut | None = None
        #: Of a sweep: the trial that is executed.
        self.trial: TrialHere | None = None
        self._modules = set(sys.modules)
        _move_in(opened)
        if "surroundings" in self._head:
            theirs = self._head["surroundings"]
            missing.away_from(None if surroundings.move_in(theirs) else theirs["folder"])
        settings.give(self._head.get("settings", {}))
        if "rank" in opened:
            self._join(opened["rank"], listener)
        sources.install()
        keys = self._head.get("client") or opened["worker"]["keys"]  # where workers have none that clients may use
        clients.install({**opened["worker"], "keys": keys}, self.tell)
        displays.install(self.tell)
        self._main = mainmodule.make()

    def _join(self, told: Message, listener: int) -> None:
        """Be a rank of a gang."""
        os.environ.update({name: value for name, value in told["defaults"].items() if name not in os.environ})
        os.environ.update(told["variables"])
        self.meeting = Meeting(**told["meeting"], listener=listener)
        self.meeting.install()
        self.steps = StepsOut(*told["steps"])
        self.checkpoints = OfRank(**told["checkpoints"], tell=self.tell, saving=self.steps.saving)
        self.stopping = Stopping(*told["notice"])

    def serve(self) -> None:
        """Execute tasks as they come."""
        while (message := self._wire.receive()) is not None:
            if "prune" in message:  # it came too late
                continue
            if self._head.get("sweep"):
                leads = not message.get("rank")
                self.trial = self.trial or TrialHere(self._wire, self.tell, self.points, leads)
            outcome = self._execute(message)
            _flush()
            if self.stopping is not None:
                outcome["early"] = self.stopping.told
                outcome["pruned"] = self.trial is not None and self.trial.pruned
            self._wire.send({**outcome, "kind": "end", "modules": self._new_modules()})

    def given(self) -> Any:
        """What this rank was given of its own; None where it was given nothing."""
        return buffers.loaded(buffers.mapped(self._given)) if self._given >= 0 else None

    def tell(self, kind: str, **what: Any) -> None:
        """Tell the seat something of the task that runs now. Any thread may."""
        self._wire.send({"kind": kind, **what})

    def _execute(self, part: Message) -> Outcome:
        try:
            if self._kind is None:
                code = Code(self._head, self._files)
                self._kind = KINDS[self._head["kind"]](self._head, code, vars(self._main), self.tell)
            return self._kind.execute(part)
        except Exception as error:  # noqa: BLE001 - a module that is missing here, a class that changed, …
            failure = {**record(error, OURS), "index": part.get("start", 0), "item": ""}
            return {"n": part.get("n", 1), "errors": [failure], "values": None, "broken": True}

    def _new_modules(self) -> list[str]:
        """The installed modules that were imported since the last time, in their order: the next runner may have them
        from its template."""
        fresh = [name for name in sys.modules if name not in self._modules]
        self._modules.update(fresh)
        return [name for name in fresh if _is_installed(sys.modules[name])]


def log(kind: str, key: str, value: Any, step: int | None = None) -> bool:
    """Tell of a metric or parameter of the run; False where none runs."""
    if RUNNER is None:
        return False
    if kind == "metric":
        RUNNER.points.add(key[:LONGEST_KEY], float(value), None if step is None else int(step))
        if step is not None and RUNNER.steps is not None:
            RUNNER.steps.step(int(step))
    else:
        RUNNER.tell(kind, key=key, value=str(value))
    return True


def _stop(*_: Any) -> None:
    raise RunStopped


def _is_installed(module: Any) -> bool:
    origin = getattr(getattr(module, "__spec__", None), "origin", None) or ""
    return origin in ("built-in", "frozen") or origin.startswith((sys.prefix, sys.base_prefix))


def _move_in(opened: Message) -> None:
    """Live where the seat's worker lives: the template may be another worker's."""
    os.environ.clear()
    os.environ.update(opened["environ"])
    sys.path[:] = opened["path"]
    with contextlib.suppress(OSError):  # it was removed: any folder will do
        os.chdir(opened["folder"])
    if os.environ.get("MPLBACKEND", "module:").startswith("module:"):
        os.environ["MPLBACKEND"] = "Agg"  # a notebook's own can't work here
    sys.argv = ["mlrun"]
    random.seed()  # else all runners would draw the same numbers
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if "torch" in sys.modules:
        sys.modules["torch"].seed()
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdigit() and int(threads) > 1 and "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no types

        threadpool_limits(int(threads))


def _be_killed_first() -> None:
    """Where memory ends, the system shall end this process rather than its worker."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _take_outputs(out: int, err: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for file, number in ((nothing, 0), (out, 1), (err, 2)):
        if file != number:
            os.dup2(file, number)
            os.close(file)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it has no path; it stays open
    sys.stdout = _text(1)
    sys.stderr = _text(2)
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc]  # nobody shall write elsewhere
    faulthandler.enable()  # a crash in C names the line that led to it


def _text(number: int) -> io.TextIOWrapper:
    """An output as text: each write arrives in its order with those of C libraries and child processes."""
    raw = open(number, "wb", buffering=0, closefd=False)  # noqa: SIM115 - it has no path; it stays open
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="replace", line_buffering=True)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the user's code may have put anything there
            stream.flush()
    ctypes.CDLL(None).fflush(None)
